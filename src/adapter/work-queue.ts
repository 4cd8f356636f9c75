import { Cancelled, runSliced } from "../base/work";
import type { CancelToken, Progress, Work } from "../base/work";

/**
 * Runs long work one after the other in slices, so that quick requests are answered in between and two of the engine's walks never
 * interleave.
 */
export class WorkQueue {
  private tail: Promise<unknown> = Promise.resolve();
  private closed = false;

  run<T>(
    start: () => Work<T>,
    options: { readonly token?: CancelToken; readonly onProgress?: (progress: Progress) => void } = {},
  ): Promise<T> {
    const result = this.tail.then(() => {
      const token: CancelToken = {
        get cancelled() {
          return options.token?.cancelled === true;
        },
      };
      if (this.closed || token.cancelled) throw new Cancelled();
      const queue = this.isClosed;
      return runSliced(start(), {
        sliceMs: 10,
        token: {
          get cancelled() {
            return token.cancelled || queue();
          },
        },
        ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
      });
    });
    this.tail = result.catch(() => undefined);
    return result;
  }

  close(): void {
    this.closed = true;
  }

  private readonly isClosed = (): boolean => this.closed;
}
