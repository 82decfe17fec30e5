/** All projects that a person works on, and a form for a new one. */

import { type SubmitEvent, type ReactNode, useState } from "react";
import { Link } from "wouter";

import { type Schemas, server, take } from "../client";
import { Notice, Show, useLoaded, useWork } from "./loading";
import { mayAct, useHere } from "./session";

export function Progress({ counts }: { counts: Schemas["ProjectCounts"] }): ReactNode {
  const done = counts.images === 0 ? 0 : Math.round((100 * (counts.done + counts.skipped)) / counts.images);
  return (
    <div className="progress">
      <progress max={Math.max(1, counts.images)} value={counts.done + counts.skipped} aria-label={`${done} % done`} />
      <span className="quiet">
        {counts.images === 0 ? "No pictures yet" : `${counts.done} of ${counts.images} pictures done`} · {counts.masks} {counts.masks === 1 ? "mask" : "masks"}
        {counts.to_review > 0 && ` · ${counts.to_review} to review`}
      </span>
    </div>
  );
}

export function ProjectsPage(): ReactNode {
  const { person } = useHere();
  // Right after the start pictures are still coming in.
  const [isNew, setNew] = useState(true);
  const load = async (): Promise<Schemas["Project"][]> => {
    const list = await take(server.GET("/api/v1/projects"));
    setNew(list.some((project) => project.counts.images === 0));
    return list;
  };
  const projects = useLoaded("projects", load, isNew ? 2_000 : 10_000);
  return (
    <main className="page">
      <h1>Projects</h1>
      <Show loaded={projects}>
        {(list) => (
          <ul className="cards">
            {list.map((project) => (
              <li key={project.id} className="card">
                <h2><Link href={`/projects/${project.id}`}>{project.name}</Link></h2>
                <Work project={project} />
              </li>
            ))}
            {list.length === 0 && <li className="quiet">There is no project yet.</li>}
          </ul>
        )}
      </Show>
      {mayAct(person, "admin") && <NewProject onMade={projects.reload} />}
    </main>
  );
}

const WORK = { annotate: "Annotate", correct: "Correct" } as const;

function Work({ project }: { project: Schemas["Project"] }): ReactNode {
  const base = `/projects/${project.id}`;
  if (project.kind === "rate") {
    return (
      <div className="row">
        <Link className="button primary" href={`${base}/rate`}>Rate</Link>
        <Link className="button" href={base}>Study</Link>
      </div>
    );
  }
  return (
    <>
      <Progress counts={project.counts} />
      <div className="row">
        <Link className="button primary" href={`${base}/annotate`}>{WORK[project.kind]}</Link>
        <Link className="button" href={base}>Pictures</Link>
      </div>
    </>
  );
}

function NewProject({ onMade }: { onMade: () => void }): ReactNode {
  const [name, setName] = useState("");
  const { isBusy, error, run } = useWork();
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    run(async () => {
      await take(server.POST("/api/v1/projects", { body: { name } }));
      setName("");
      onMade();
    });
  };
  return (
    <section aria-labelledby="new-project">
      <h2 id="new-project">New project</h2>
      <form className="row" onSubmit={submit}>
        <label className="grow">
          Name
          <input value={name} onChange={(event) => { setName(event.target.value); }} required maxLength={200} />
        </label>
        <button type="submit" disabled={isBusy}>Add project</button>
      </form>
      <Notice text={error} />
    </section>
  );
}
