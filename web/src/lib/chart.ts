// A line over the last hour. Gaps stay gaps; beside the picture stands what it says, for those who do not see it.
import uPlot from "uplot";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import type { VNode } from "preact";
import { t } from "./words.js";

interface Line {
  readonly label: string;
  /** A variable of the style sheet: `--in`. */
  readonly color: string;
  readonly values: readonly number[];
}

interface ChartProps {
  readonly title: string;
  /** Since 1970, in seconds. */
  readonly at: readonly number[];
  readonly stepSeconds: number;
  readonly spanSeconds: number;
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** Changes with the colours. */
  readonly theme: string;
}

const height = 132;
/** A server that has just begun shows so much. */
const leastSeconds = 300;

export function Chart({ title, at, stepSeconds, spanSeconds, lines, format, theme }: ChartProps): VNode {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = withGaps(at, lines, stepSeconds);
  useEffect(() => {
    const { current } = box;
    if (current === null) return undefined;
    const made = new uPlot(optionsOf(current, lines, spanSeconds, format), data, current);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: current.clientWidth, height }));
    observer.observe(current);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [theme, title]);
  useEffect(() => plot.current?.setData(data), [at.at(-1)]);
  const summary = lines.map(({ label, values }) => {
    const now = values.at(-1) ?? 0;
    return { label, text: `${t("now")} ${format(now)} · ${t("peak")} ${format(Math.max(0, ...values))}` };
  });
  return html`<figure class="chart">
    <figcaption>
      <h3>${title}</h3>
      ${summary.map(
        ({ label, text }, i) =>
          html`<span class="legend"
            ><i class="swatch ${lines[i]?.color.slice(2)}" aria-hidden="true"></i>${label === "" ? "" : `${label} `}${text}</span
          >`,
      )}
    </figcaption>
    <div class="plot" ref=${box} aria-hidden="true"></div>
  </figure>`;
}

function optionsOf(box: HTMLElement, lines: readonly Line[], spanSeconds: number, format: (value: number) => string): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const grid = { stroke: color("--line"), width: 1 };
  const font = "11px system-ui, sans-serif";
  return {
    width: Math.max(100, box.clientWidth),
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: {
        time: true,
        range: (_plot, first) => [
          Math.max(Date.now() / 1000 - spanSeconds, Math.min(first, Date.now() / 1000 - leastSeconds)),
          Date.now() / 1000,
        ],
      },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      { stroke: color("--quiet"), grid, ticks: { show: false }, font, size: 22, space: 70, values: (_plot, values) => values.map(clock) },
      {
        stroke: color("--quiet"),
        grid,
        ticks: { show: false },
        font,
        size: 74,
        space: 34,
        values: (_plot, values) => values.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, color: name }) => ({
        label,
        stroke: color(name),
        width: 2,
        fill: lines.length === 1 ? `${color(name)}1f` : "transparent",
        points: { show: (_plot: uPlot, _series: number, first: number, last: number) => first === last, size: 6 },
        spanGaps: false,
      })),
    ],
  };
}

/** A moment at which nobody looked is drawn as one without a line. */
function withGaps(at: readonly number[], lines: readonly Line[], stepSeconds: number): uPlot.AlignedData {
  const times: number[] = [];
  const columns: (number | null)[][] = lines.map(() => []);
  for (const [i, time] of at.entries()) {
    const last = times.at(-1);
    if (last !== undefined && time - last > 2.5 * stepSeconds) {
      times.push(last + stepSeconds);
      for (const column of columns) column.push(null);
    }
    times.push(time);
    for (const [n, column] of columns.entries()) column.push(lines[n]?.values[i] ?? null);
  }
  return [times, ...columns];
}

function clock(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}
