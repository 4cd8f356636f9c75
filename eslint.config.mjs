import { fileURLToPath } from "node:url";
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

const root = fileURLToPath(new URL(".", import.meta.url));

const readonly = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));
// prettier-ignore
const nodeGlobals = [
  "process", "console", "Buffer", "URL", "fetch", "performance", "AbortController", "AbortSignal", "TextDecoder", "TextEncoder",
  "setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "queueMicrotask", "structuredClone",
];

export default tseslint.config(
  { ignores: ["dist/", "out/", ".cache/", "node_modules/", "test/fixtures/", "**/*.d.ts"] },
  eslint.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/consistent-type-exports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-explicit-any": ["error", { ignoreRestArgs: false }],
      "@typescript-eslint/no-unnecessary-condition": [
        "error",
        { allowConstantLoopConditions: "only-allowed-literals" },
      ],
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/restrict-plus-operands": ["error", { allowNumberAndString: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // A typed array read inside a checked bound has no better form under noUncheckedIndexedAccess.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/consistent-type-definitions": "off",
      "no-restricted-syntax": [
        "error",
        {
          selector: "ExportDefaultDeclaration",
          message: "Name the export: a default export can be called anything by each importer.",
        },
      ],
      "no-restricted-properties": [
        "error",
        { object: "Math", property: "random", message: "Tests use a seed, the product uses no chance." },
      ],
      eqeqeq: ["error", "always"],
      "no-console": "error",
    },
  },
  {
    // A test's own promise is awaited by mocha, and a fake need not await.
    files: ["**/*.test.ts", "test/**/*.ts"],
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-empty-function": "off",
      "no-console": "off",
    },
  },
  {
    files: ["**/*.mjs", "**/*.cjs"],
    languageOptions: { globals: readonly(nodeGlobals) },
  },
  {
    files: ["**/*.cjs"],
    languageOptions: { sourceType: "commonjs", globals: readonly(["require", "module", "__dirname"]) },
  },
  {
    files: ["**/*.test.mjs"],
    languageOptions: { globals: readonly(["describe", "it", "before", "after", "beforeEach", "afterEach"]) },
  },
);
