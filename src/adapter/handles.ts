/** Numbers that the client holds for things of ours, valid until the session restarts. Starts at `first`, which keeps kinds apart in logs. */
export class Handles<T> {
  private readonly values: T[] = [];

  constructor(private readonly first: number) {}

  add(value: T): number {
    this.values.push(value);
    return this.first + this.values.length - 1;
  }

  get(handle: number): T | undefined {
    return this.values[handle - this.first];
  }

  clear(): void {
    this.values.length = 0;
  }
}
