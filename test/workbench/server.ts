import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverScript } from "./install-workbench";

/** A workbench without greetings, telemetry or anything that waits for the network. */
const settings = {
  "workbench.startupEditor": "none",
  "telemetry.telemetryLevel": "off",
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "extensions.ignoreRecommendations": true,
  "workbench.enableExperiments": false,
  "git.enabled": false,
  "update.mode": "none",
};

/** A running VS Code server on loopback. */
export interface WorkbenchServer {
  readonly port: number;
  /** The log of the server and its extension hosts. */
  readonly log: string;
  /** A path of this machine as the workbench names it. */
  remote(path: string): string;
  /** The address that opens the workbench, with its secret: without it the server answers nobody. */
  url(options: { readonly folder: string; readonly payload?: Payload }): string;
  stop(): void;
}

/** Parameters of VS Code's web workbench, such as `["openFile", remote(path)]`. */
export type Payload = readonly (readonly [name: string, value: string])[];

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
      .once("error", reject)
      .listen(0, "127.0.0.1", () => {
        const found = probe.address();
        probe.close(() => {
          if (found !== null && typeof found === "object") resolve(found.port);
          else reject(new Error("no free port"));
        });
      });
  });
}

/** Starts the server and waits until it answers. Its profile is temporary. */
export async function startServer(
  options: { readonly extensionsFolder?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<WorkbenchServer> {
  // Directly below the temporary folder: unix sockets lie in it, and their paths may not be long.
  const profile = mkdtempSync(join(tmpdir(), "grace-wb-"));
  for (const folder of ["User", "data/User", "data/Machine"]) {
    mkdirSync(join(profile, folder), { recursive: true });
    writeFileSync(join(profile, folder, "settings.json"), JSON.stringify(settings));
  }
  const port = await freePort();
  const token = randomBytes(16).toString("hex");
  const log = join(profile, "server.log");
  const logFile = openSync(log, "w");
  const server = spawn(
    process.execPath,
    [
      serverScript,
      ...["--host", "127.0.0.1", "--port", port.toString(), "--connection-token", token],
      ...["--accept-server-license-terms", "--disable-workspace-trust", "--telemetry-level", "off"],
      ...["--user-data-dir", profile, "--server-data-dir", profile],
      ...["--extensions-dir", options.extensionsFolder ?? join(profile, "ext")],
    ],
    {
      // Its own process group: a closed page can leave an extension host waiting for hours.
      detached: true,
      stdio: ["ignore", logFile, logFile],
      env: { ...process.env, EXTENSIONS_GALLERY: '{"serviceUrl":""}', NODE_OPTIONS: "", ...options.env },
    },
  );
  closeSync(logFile);
  const kill = (): void => {
    try {
      if (server.pid !== undefined) process.kill(-server.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  };
  const stop = (): void => {
    process.off("exit", stop);
    kill();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
  process.on("exit", stop);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

  const base = `http://127.0.0.1:${port.toString()}/`;
  for (let attempt = 0; ; attempt++) {
    if (server.exitCode !== null || attempt > 300) {
      const told = readFileSync(log, "utf8");
      stop();
      throw new Error(`The workbench's server did not start:\n${told}`);
    }
    try {
      if ((await fetch(`${base}?tkn=${token}`, { redirect: "manual" })).status < 400) break;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return {
    port,
    log,
    remote: (path) => `vscode-remote://127.0.0.1:${port.toString()}${encodeURI(path)}`,
    url: ({ folder, payload }) => {
      const url = new URL(base);
      url.searchParams.set("tkn", token);
      url.searchParams.set("folder", folder);
      if (payload !== undefined) url.searchParams.set("payload", JSON.stringify(payload));
      return url.href;
    },
    stop,
  };
}
