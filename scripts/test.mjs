// `npm test [-- SUITE...] [-- mocha options]`: sets up what is missing, runs the suites, prints one summary.
// Options go to mocha, e.g. `npm test -- unit --grep "leb128"`.
import { main } from "./lib/process.mjs";
import { installDependencies } from "./lib/setup.mjs";
import { choose, runSuites } from "./lib/suites.mjs";

await main(async (args) => {
  const option = args.findIndex((arg) => arg.startsWith("-"));
  const names = option < 0 ? args : args.slice(0, option);
  const chosen = choose(names);
  await installDependencies();
  const results = await runSuites(chosen, option < 0 ? [] : args.slice(option));

  console.log("\n── summary ─────────────────────");
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, seconds, result } of results) {
    for (const kind of Object.keys(sum)) sum[kind] += result[kind];
    const counts = `${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`;
    console.log(`${result.failed === 0 ? "✔" : "✘"} ${name.padEnd(10)} ${counts} (${seconds.toFixed(1)} s)`);
    for (const title of result.failures) console.log(`    failed: ${title}`);
    for (const title of result.skips) console.log(`    skipped: ${title}`);
  }
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  return sum.failed > 0 || sum.passed === 0 ? 1 : 0;
});
