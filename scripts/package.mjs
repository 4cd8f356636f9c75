// `npm run package`: makes .cache/grace.vsix. vsce builds first (vscode:prepublish). Everything is bundled, so no node_modules go in; there is no
// public repository that relative links of the README could be rewritten to.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bin, main, root, run } from "./lib/process.mjs";

await main(async () => {
  const vsix = join(root, ".cache/grace.vsix");
  mkdirSync(join(root, ".cache"), { recursive: true });
  const { code } = await run(process.execPath, [
    bin("@vscode/vsce/vsce"),
    "package",
    ...["--no-dependencies", "--allow-missing-repository", "--no-rewrite-relative-links", "--out", vsix],
  ]);
  return code;
});
