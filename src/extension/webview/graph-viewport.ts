import type { PlacedNode } from "./graph-layout";

const leastScale = 0.1;
const mostScale = 3;
/** Text of 12 pixels is legible down to this. */
export const readableScale = 0.75;
const margin = 16;

/** Which part of the picture is in sight: moved and scaled by mouse, wheel and keys. */
export class Viewport {
  private x = 0;
  private y = 0;
  private scale = 1;
  /** The least scale it was fitted with, until it is moved. */
  private fitted: number | undefined = readableScale;
  /** The button that goes up now had moved the picture: this is no click. */
  wasDragged = false;

  constructor(
    private readonly frame: SVGSVGElement,
    private readonly scene: SVGGElement,
    private readonly size: { readonly width: number; readonly height: number },
  ) {
    frame.addEventListener(
      "wheel",
      (event) => {
        // The plain wheel scrolls the page, on to the table.
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY);
      },
      { passive: false },
    );
    frame.addEventListener("pointerdown", (event) => {
      if (event.button === 0) this.drag(event);
    });
    new ResizeObserver(() => {
      if (this.fitted !== undefined) this.fit(this.fitted);
    }).observe(frame);
  }

  /** As much of the picture as can be read, from its top left: what is most urgent is there. */
  start(): void {
    this.fit(readableScale);
  }

  /** The whole picture, but not larger than life. */
  fit(least = leastScale): void {
    const { clientWidth, clientHeight } = this.frame;
    const fitting = Math.min(
      (clientWidth - 2 * margin) / Math.max(1, this.size.width),
      (clientHeight - 2 * margin) / Math.max(1, this.size.height),
      1,
    );
    this.scale = Math.max(least, fitting);
    this.x = Math.max(margin, (clientWidth - this.size.width * this.scale) / 2);
    this.y = Math.max(margin, (clientHeight - this.size.height * this.scale) / 2);
    this.fitted = least;
    this.apply();
  }

  /** @param atX the point that stays where it is, in pixels of the frame; its middle by default */
  zoom(factor: number, atX = this.frame.clientWidth / 2, atY = this.frame.clientHeight / 2): void {
    const scale = Math.min(mostScale, Math.max(leastScale, this.scale * factor));
    this.x = atX - ((atX - this.x) * scale) / this.scale;
    this.y = atY - ((atY - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = undefined;
    this.apply();
  }

  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.fitted = undefined;
    this.apply();
  }

  /** Scales around a node, which stays where it is. */
  zoomAt(factor: number, { x, y }: PlacedNode): void {
    this.zoom(factor, this.x + x * this.scale, this.y + y * this.scale);
  }

  /** Moves as little as is needed to have the node in sight. */
  reveal({ x, y, width, height }: PlacedNode): void {
    const shift = (low: number, high: number, most: number): number =>
      low < margin ? margin - low : high > most - margin ? most - margin - high : 0;
    const [middleX, middleY] = [this.x + x * this.scale, this.y + y * this.scale];
    const [halfX, halfY] = [(width * this.scale) / 2, (height * this.scale) / 2];
    const dx = shift(middleX - halfX, middleX + halfX, this.frame.clientWidth);
    const dy = shift(middleY - halfY, middleY + halfY, this.frame.clientHeight);
    if (dx !== 0 || dy !== 0) this.pan(dx, dy);
  }

  private drag(start: PointerEvent): void {
    this.wasDragged = false;
    let [lastX, lastY] = [start.clientX, start.clientY];
    const move = (event: PointerEvent): void => {
      if (!this.wasDragged && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < 4) return;
      this.wasDragged = true;
      this.frame.classList.add("dragging");
      this.pan(event.clientX - lastX, event.clientY - lastY);
      [lastX, lastY] = [event.clientX, event.clientY];
    };
    const end = (): void => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      this.frame.classList.remove("dragging");
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  private apply(): void {
    const at = `translate(${this.x.toFixed(1)},${this.y.toFixed(1)})`;
    this.scene.setAttribute("transform", `${at} scale(${this.scale.toFixed(4)})`);
  }
}
