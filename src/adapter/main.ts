import { createServer } from "node:net";
import { tuneEngine } from "../bytes/engine";
import { GraceSession } from "./session";

/**
 * The debug adapter: over stdin and stdout, or for any editor with `--port N`, where each connection is a session of its own
 * (on the loopback interface only: whoever connects can read every dump that this user can).
 */
function main(args: readonly string[]): void {
  const flag = args.find((argument) => argument.startsWith("--port"));
  if (flag === undefined) {
    const session = new GraceSession();
    process.on("SIGTERM", () => {
      session.shutdown();
    });
    session.start(process.stdin, process.stdout);
    return;
  }
  const port = Number(flag.includes("=") ? flag.slice(flag.indexOf("=") + 1) : args[args.indexOf(flag) + 1]);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    process.stderr.write("--port wants a number from 0 to 65535.\n");
    process.exitCode = 2;
    return;
  }
  const server = createServer((socket) => {
    const session = new GraceSession();
    session.setRunAsServer(true);
    socket.on("end", () => {
      session.shutdown();
    });
    socket.on("error", () => {
      session.shutdown();
    });
    session.start(socket, socket);
  });
  server.listen(port, "127.0.0.1", () => {
    const bound = server.address();
    process.stderr.write(
      `listening on 127.0.0.1:${String(typeof bound === "object" && bound !== null ? bound.port : port)}\n`,
    );
  });
}

tuneEngine();
main(process.argv.slice(2));
