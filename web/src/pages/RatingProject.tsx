/** A project whose masks are rated: the guide, and how far everybody is. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import { type Schemas, server, take } from "../client";
import { Show, useLoaded } from "./loading";
import { MembersPanel } from "./Settings";
import { mayAct, useHere } from "./session";

export function RatingProject({ project }: { project: Schemas["Project"] }): ReactNode {
  const { person, session } = useHere();
  return (
    <>
      <div className="head">
        <h1>{project.name}</h1>
        <Link className="button primary" href={`/projects/${project.id}/rate`}>Rate</Link>
      </div>
      <div className="columns">
        <section className="card guide grow" aria-labelledby="rating-guide">
          <h2 id="rating-guide">How to rate</h2>
          <p>{project.instructions}</p>
        </section>
        <aside className="stack" aria-label="People">
          {mayAct(person, "reviewer") && <Raters projectId={project.id} />}
          {mayAct(person, "admin") && session.mode === "team" && <MembersPanel projectId={project.id} />}
        </aside>
      </div>
    </>
  );
}

function Raters({ projectId }: { projectId: number }): ReactNode {
  const progress = useLoaded(
    `raters-${projectId}`,
    () => take(server.GET("/api/v1/projects/{project_id}/rating/progress", { params: { path: { project_id: projectId } } })),
    10_000,
  );
  return (
    <section aria-labelledby="raters-title">
      <h2 id="raters-title">Raters</h2>
      <Show loaded={progress}>
        {(people) =>
          people.length === 0 ? (
            <p className="quiet">Nobody has rated a mask yet.</p>
          ) : (
            <table>
              <thead>
                <tr><th scope="col">Name</th><th scope="col">Rated</th><th scope="col">Seconds, median</th></tr>
              </thead>
              <tbody>
                {people.map((one) => (
                  <tr key={one.person_id}>
                    <th scope="row">{one.name}</th>
                    <td>{one.rated}</td>
                    <td>{one.median_s?.toFixed(1) ?? "–"}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Show>
      <p className="quiet">What they gave is in the report: <code>anymask evaluate rating report STUDY</code></p>
    </section>
  );
}
