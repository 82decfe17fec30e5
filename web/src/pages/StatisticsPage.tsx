/** How the work goes: in all, by stage, by model, by person. */

import type { ReactNode } from "react";

import { type Schemas, server, take } from "../client";
import { Show, useLoaded } from "./loading";

type Group = Schemas["MaskStatistics"];

const number = (value: number | null, digits = 1): string => (value === null ? "–" : value.toFixed(digits));
const percent = (value: number | null): string => (value === null ? "–" : `${(100 * value).toFixed(0)} %`);

function spread({ median, quartile_low: low, quartile_high: high }: Schemas["Spread"], digits = 1): string {
  if (median === null) return "–";
  return low === null || high === null ? number(median, digits) : `${number(median, digits)} (${number(low, digits)} to ${number(high, digits)})`;
}

export function StatisticsPage({ projectId }: { projectId: number }): ReactNode {
  const statistics = useLoaded(
    `statistics-${projectId}`,
    () => take(server.GET("/api/v1/projects/{project_id}/statistics", { params: { path: { project_id: projectId } } })),
    15_000,
  );
  return (
    <main className="page">
      <h1>Statistics</h1>
      <Show loaded={statistics}>
        {(all) => (
          <>
            <dl className="figures">
              <Figure name="Masks" value={String(all.all.masks)} note={`on ${all.all.images} pictures`} />
              <Figure name="Masks a picture" value={number(all.all.masks_per_image.median)} note="median" />
              <Figure name="Seconds a mask" value={number(all.all.seconds_per_mask.median)} note="median" />
              <Figure name="Clicks a mask" value={number(all.all.clicks_per_mask.median)} note="median" />
              <Figure name="As the model gave them" value={percent(all.all.as_given)} note="of masks made with its help" />
              <Figure name="IoU of its first answer" value={number(all.all.first_answer_iou.median, 2)} note="median" />
            </dl>
            <Proposals proposals={all.proposals} />
            <Groups title="By stage" groups={all.by_stage} />
            <Groups title="By model" groups={all.by_model} />
            <Groups title="By person" groups={all.by_person} />
            <p className="quiet">
              Reviews: {Object.entries(all.reviews).map(([name, count]) => `${name} ${count}`).join(", ") || "none yet"}. Pictures skipped: {all.skipped}.
            </p>
          </>
        )}
      </Show>
    </main>
  );
}

/** What people made of the masks that the model proposed; nothing before there are any. */
function Proposals({ proposals: all }: { proposals: Schemas["ProposalStatistics"] }): ReactNode {
  if (all.proposed === 0) return null;
  const left = all.undecided === 0 ? "all decided" : `${all.undecided} undecided`;
  return (
    <section>
      <h2>Proposed masks</h2>
      <dl className="figures">
        <Figure name="Proposed" value={String(all.proposed)} note={left} />
        <Figure name="Kept" value={percent(all.acceptance)} note={`${all.as_given} as given, ${all.fixed} fixed, ${all.dropped} dropped`} />
        <Figure name="IoU before and after a fix" value={number(all.fixed_iou.median, 2)} note="median" />
        <Figure name="Seconds a mask added by hand" value={number(all.seconds_per_added_mask.median)} note="median, without the proposed ones" />
        <Figure name="Masks a picture" value={number(all.masks_per_image.mean)} note="mean, with the proposed ones" />
        <Figure name="Added a picture" value={number(all.added_per_image.mean)} note="mean, by hand" />
      </dl>
    </section>
  );
}

function Figure({ name, value, note }: { name: string; value: string; note: string }): ReactNode {
  return (
    <div className="card figure">
      <dt>{name}</dt>
      <dd><strong>{value}</strong> <span className="quiet">{note}</span></dd>
    </div>
  );
}

function Groups({ title, groups }: { title: string; groups: readonly Group[] }): ReactNode {
  if (groups.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <div className="scroll" tabIndex={0} role="region" aria-label={title}>
        <table>
          <thead>
            <tr>
              <th scope="col">{title.replace("By ", "")}</th>
              <th scope="col">Masks</th>
              <th scope="col">Masks a picture</th>
              <th scope="col">Seconds a mask, median (quartiles)</th>
              <th scope="col">Clicks a mask</th>
              <th scope="col">As given</th>
              <th scope="col">First answer IoU</th>
            </tr>
          </thead>
          <tbody>
            {groups.map((group) => (
              <tr key={group.group}>
                <th scope="row">{/^[0-9a-f]{64}$/.test(group.group) ? `${group.group.slice(0, 12)}…` : group.group}</th>
                <td>{group.masks}</td>
                <td>{number(group.masks_per_image.mean)}</td>
                <td>{spread(group.seconds_per_mask)}</td>
                <td>{spread(group.clicks_per_mask)}</td>
                <td>{percent(group.as_given)}</td>
                <td>{spread(group.first_answer_iou, 2)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
