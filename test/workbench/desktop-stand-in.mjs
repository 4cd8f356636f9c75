#!/usr/bin/env node
// @vscode/test-electron starts a program by its path: this one, whose body is TypeScript.
import { tsImport } from "tsx/esm/api";

const { runLikeDesktop } = await tsImport("./desktop-stand-in.ts", import.meta.url);
process.exit(
  await runLikeDesktop(process.argv.slice(2)).catch((error) => {
    console.error(error);
    return 2;
  }),
);
