import type { Progress } from "../base/work";

interface Step {
  readonly message: string;
  /** Milliseconds since the process began. */
  readonly start: number;
  took: number;
}

/** When each step of a report began, and how long it took: for whoever wonders what a slow one does. */
export class Timings {
  private readonly steps = new Map<string, Step>();
  private current: Step | undefined;

  /** Notes that this is what is being done from now on. */
  readonly step = ({ message }: Progress): void => {
    if (message !== this.current?.message) this.begin(message);
  };

  begin(message: string): void {
    const now = performance.now();
    this.end(now);
    let step = this.steps.get(message);
    if (step === undefined) this.steps.set(message, (step = { message, start: now, took: 0 }));
    step.took -= now;
    this.current = step;
  }

  /** A line for each step, in the order in which they began. */
  text(): string {
    this.end(performance.now());
    this.current = undefined;
    const milliseconds = (value: number): string => `${value.toFixed(0).padStart(8)} ms`;
    return [
      `${"began at".padStart(11)} ${"took".padStart(11)}`,
      ...[...this.steps.values()].map(
        ({ message, start, took }) => `${milliseconds(start)} ${milliseconds(took)}  ${message}`,
      ),
      `${milliseconds(performance.now())} ${"".padStart(11)}  End`,
      "",
    ].join("\n");
  }

  private end(now: number): void {
    if (this.current !== undefined) this.current.took += now;
  }
}
