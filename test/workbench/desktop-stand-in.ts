/**
 * Stands in for the VS Code desktop: takes the command line that @vscode/test-electron makes, runs the suite in the extension host of the
 * npm workbench, prints what it prints, ends with its code. Started through desktop-stand-in.mjs, which is a program as runTests wants one.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { format } from "node:util";
import { installWorkbench } from "./install-workbench";
import { openWorkbench } from "./page";
import { cacheFolder } from "./paths";
import { startServer } from "./server";

/** What a workbench in a browser always complains of and nobody can mend; its optional native addons are not built. */
const noise =
  /^(%c)?(Resolv|Creating a socket|Updating additional|\[Service Worker|ChatSessionStore|Ignoring fetching)|tried to set the view size|Could not locate the bindings file|node_modules\/native-watchdog/;

export async function runLikeDesktop(args: readonly string[]): Promise<number> {
  const values = (name: string): string[] =>
    args.filter((arg) => arg.startsWith(`--${name}=`)).map((arg) => resolve(arg.slice(name.length + 3)));
  const folder = resolve(args.find((arg) => !arg.startsWith("-")) ?? ".");
  const [tests] = values("extensionTestsPath");
  if (tests === undefined) throw new Error("no --extensionTestsPath among the arguments");
  const script = [tests, `${tests}.js`].find((path) => path.endsWith(".js") && existsSync(path));
  if (script === undefined) throw new Error(`${tests} is not there: npm run build`);

  await installWorkbench();
  const server = await startServer();
  const workbench = await openWorkbench(server, {
    folder,
    payload: [
      ...values("extensionDevelopmentPath").map((path) => ["extensionDevelopmentPath", server.remote(path)] as const),
      ["extensionTestsPath", server.remote(script)],
    ],
    onLog: (type, logged) => {
      const line = format(...logged);
      if (!noise.test(line)) (type === "error" ? console.error : console.log)(line);
    },
  });
  const limit = Number(process.env["GRACE_WORKBENCH_TIMEOUT_MS"] ?? 15 * 60_000);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((done) => (timer = setTimeout(done, limit, "late")));
  const code = await Promise.race([workbench.exited, late]);
  clearTimeout(timer);
  if (code !== 0) {
    const screenshot = join(cacheFolder, "test-results/workbench-failure.png");
    mkdirSync(join(cacheFolder, "test-results"), { recursive: true });
    await workbench.page.screenshot({ path: screenshot }).catch(() => undefined);
    console.error(`What the workbench showed last: ${screenshot}`);
  }
  await workbench.browser.close();
  server.stop();
  if (code !== "late") return code;
  console.error(`The suite did not end within ${limit.toString()} ms.`);
  return 124;
}
