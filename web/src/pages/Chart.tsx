/** A few curves in one picture, drawn as SVG; what they say is in a table beside them too. */

import type { ReactNode } from "react";

import { type Line, scaleOf, ticksOf } from "../curves";

const [WIDTH, HEIGHT] = [360, 220];
const MARGIN = { left: 44, right: 12, top: 12, bottom: 28 };

export function Chart({ title, lines }: { title: string; lines: readonly Line[] }): ReactNode {
  const drawn = lines.filter((line) => line.points.length > 0);
  if (drawn.length === 0) return null;
  const points = drawn.flatMap((line) => line.points);
  const x = scaleOf(points.map(([value]) => value), [MARGIN.left, WIDTH - MARGIN.right]);
  const y = scaleOf([0, ...points.map(([, value]) => value)], [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const names = [...new Set(drawn.map((line) => line.name))];
  const path = (line: Line): string => line.points.map(([px, py]) => `${x.at(px)},${y.at(py)}`).join(" ");
  return (
    <figure className="card chart">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={describe(title, drawn)}>
        {ticksOf(y).map((tick) => (
          <g key={tick}>
            <line className="chart-grid" x1={MARGIN.left} x2={WIDTH - MARGIN.right} y1={y.at(tick)} y2={y.at(tick)} />
            <text className="chart-text" x={MARGIN.left - 6} y={y.at(tick) + 4} textAnchor="end">{tick}</text>
          </g>
        ))}
        {[...new Set(points.map(([value]) => value).filter(Number.isInteger))].map((turn) => (
          <text key={turn} className="chart-text" x={x.at(turn)} y={HEIGHT - 8} textAnchor="middle">{turn}</text>
        ))}
        {drawn.map((line) => {
          const kind = `chart-line chart-line-${names.indexOf(line.name)}`;
          return (
            <g key={`${line.name} ${path(line)}`} className={kind}>
              <polyline points={path(line)} />
              {line.points.map(([px, py]) => <circle key={`${px} ${py}`} cx={x.at(px)} cy={y.at(py)} r="3" />)}
            </g>
          );
        })}
      </svg>
      {names.length > 1 && (
        <p className="chart-legend quiet">
          {names.map((name, index) => <span key={name} className={`chart-name chart-name-${index}`}>{name}</span>)}
        </p>
      )}
    </figure>
  );
}

function describe(title: string, lines: readonly Line[]): string {
  const said = lines.map((line) => `${line.name}: ${line.points.map(([, value]) => Number(value.toPrecision(3))).join(", ")}`);
  return `${title}. ${said.join("; ")}.`;
}
