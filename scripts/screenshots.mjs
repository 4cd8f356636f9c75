// `npm run screenshots`: packages the extension, installs it in the workbench from npm and clicks through it as a person does.
import { Advice, main, run, typescript } from "./lib/process.mjs";
import { build, installDependencies } from "./lib/setup.mjs";

await main(async () => {
  await installDependencies();
  await build();
  const { code } = await run(process.execPath, typescript("test/workbench/ui/screenshots.ts"));
  if (code !== 0) throw new Advice("The click-through failed; .cache/screenshots/failure.png shows where.");
});
