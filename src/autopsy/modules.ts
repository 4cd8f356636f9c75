import { hex } from "../base/brand";
import type { LoadedModule } from "../symbols/program";
import type { ModuleAnswer } from "./answers";

export function moduleAnswer(loaded: LoadedModule): ModuleAnswer {
  const { module } = loaded;
  const problem = loaded.problems[0];
  const id = module.buildId ?? (module.pdb === undefined ? undefined : `${module.pdb.guid}-${String(module.pdb.age)}`);
  const file = loaded.files.debug ?? loaded.files.executable;
  return {
    path: module.path,
    base: hex(module.base),
    size: module.size,
    ...(id === undefined ? {} : { buildId: id }),
    symbols: loaded.symbols.format,
    ...(problem === undefined
      ? {}
      : { problem: [problem.what, problem.effect].filter((part) => part !== undefined).join(" ") }),
    ...(problem?.remedy === undefined ? {} : { remedy: problem.remedy }),
    ...(file === undefined ? {} : { symbolFile: file }),
  };
}
