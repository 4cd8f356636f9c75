import { existsSync } from "node:fs";
import { basename } from "node:path";
import * as vscode from "vscode";
import type { Grouping } from "../../autopsy/answers";
import type { GraceLaunchArguments } from "../../protocol/requests";
import { activeDump } from "../dump-files";

export const debugType = "grace";

/** Attributes that a launch configuration leaves out, from the settings. */
export function settingsFor(resource: vscode.Uri | undefined): Omit<GraceLaunchArguments, "dump"> {
  const settings = vscode.workspace.getConfiguration("grace", resource ?? null);
  const program = settings.get<string>("program") ?? "";
  return {
    ...(program === "" ? {} : { program: expand(program, resource) }),
    symbolPath: (settings.get<readonly string[]>("symbolPath") ?? []).map((path) => expand(path, resource)),
    sourceMap: Object.fromEntries(
      Object.entries(settings.get<Record<string, string>>("sourceMap") ?? {}).map(([from, to]) => [
        from,
        expand(to, resource),
      ]),
    ),
    executors: settings.get<readonly string[]>("executors") ?? [],
    trustMismatchedSymbols: settings.get<boolean>("trustMismatchedSymbols") ?? false,
    tasks: {
      limit: settings.get<number>("tasks.limit") ?? 100,
      group: settings.get<Grouping>("tasks.group") ?? "chain",
      hideRuntimeFrames: settings.get<boolean>("tasks.hideRuntimeFrames") ?? false,
    },
  };
}

/** `${workspaceFolder}` and `${fileDirname}`-like paths of settings, which VS Code itself expands only in launch.json. */
function expand(path: string, resource: vscode.Uri | undefined): string {
  const folder =
    (resource === undefined ? undefined : vscode.workspace.getWorkspaceFolder(resource)) ??
    vscode.workspace.workspaceFolders?.[0];
  return folder === undefined ? path : path.replaceAll("${workspaceFolder}", folder.uri.fsPath);
}

/** The configuration of a session that is started on a dump, not from launch.json. */
export const configurationFor = (dump: vscode.Uri): vscode.DebugConfiguration => ({
  type: debugType,
  request: "attach",
  name: basename(dump.fsPath),
  dump: dump.fsPath,
});

/** Fills in what launch.json leaves out, and refuses what cannot work before a session exists, where a message can still have buttons. */
export class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  provideDebugConfigurations(): vscode.DebugConfiguration[] {
    return [{ type: debugType, request: "attach", name: "Open crash dump", dump: "${workspaceFolder}/crash.dmp" }];
  }

  /** F5 without a launch.json: the dump whose editor is active. */
  resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration | undefined {
    // F5 without a launch.json passes an empty configuration, whose type is missing in spite of the declaration.
    if (configuration["dump"] !== undefined) return configuration;
    const dump = activeDump();
    if (dump === undefined) {
      void vscode.commands.executeCommand("grace.openDump");
      return undefined;
    }
    return { ...configurationFor(dump), ...definedOf(configuration) };
  }

  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    const dump: unknown = configuration["dump"];
    if (typeof dump !== "string" || dump === "") {
      await refuse(
        'This launch configuration names no dump. Add "dump": "/path/to/crash.dmp".',
        "Open launch.json",
        "workbench.action.debug.configure",
      );
      return undefined;
    }
    if (!existsSync(dump)) {
      await refuse(
        `There is no file ${dump}. The dump of this launch configuration cannot be opened.`,
        "Choose a Dump...",
        "grace.openDump",
      );
      return undefined;
    }
    const defaults = settingsFor(folder?.uri ?? vscode.Uri.file(dump));
    return {
      internalConsoleOptions: "neverOpen",
      ...defaults,
      ...configuration,
      tasks: { ...defaults.tasks, ...(configuration["tasks"] as GraceLaunchArguments["tasks"]) },
    };
  }
}

async function refuse(message: string, button: string, command: string): Promise<void> {
  if ((await vscode.window.showErrorMessage(message, button)) === button) await vscode.commands.executeCommand(command);
}

const definedOf = (configuration: vscode.DebugConfiguration): Record<string, unknown> =>
  Object.fromEntries(Object.entries(configuration).filter(([, value]) => value !== undefined && value !== ""));
