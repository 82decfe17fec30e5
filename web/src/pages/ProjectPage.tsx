/** One project: its pictures, what comes in and goes out, how people work on it. */

import { type ReactNode, useState } from "react";
import { Link } from "wouter";

import { type Schemas, server, take } from "../client";
import { Show, useLoaded } from "./loading";
import { ExportPanel, ImportPanel, JobList } from "./Transfers";
import { Progress } from "./ProjectsPage";
import { RatingProject } from "./RatingProject";
import { mayAct, useHere } from "./session";
import { MembersPanel, SettingsPanel } from "./Settings";

const PAGE = 60;
const STATES: Record<Schemas["TaskState"], string> = {
  waiting: "Waiting",
  leased: "In work",
  done: "Done",
  skipped: "Skipped",
};

export function ProjectPage({ projectId }: { projectId: number }): ReactNode {
  const { person, session } = useHere();
  const path = { project_id: projectId };
  const project = useLoaded(
    `project-${projectId}`,
    () => take(server.GET("/api/v1/projects/{project_id}", { params: { path } })),
    5000,
  );
  return (
    <main className="page">
      <Show loaded={project}>
        {(one) => one.kind === "rate" ? <RatingProject project={one} /> : (
          <>
            <div className="head">
              <h1>{one.name}</h1>
              <Link className="button primary" href={`/projects/${projectId}/annotate`}>{one.kind === "correct" ? "Correct" : "Annotate"}</Link>
            </div>
            <Progress counts={one.counts} />
            <div className="columns">
              <Pictures projectId={projectId} total={one.counts.images} />
              <aside className="stack" aria-label="Import, export and settings">
                {mayAct(person, "admin") && <ImportPanel projectId={projectId} onDone={project.reload} />}
                {mayAct(person, "reviewer") && <ExportPanel projectId={projectId} />}
                <JobList projectId={projectId} />
                {mayAct(person, "admin") && <SettingsPanel key={one.id} project={one} onSaved={project.reload} />}
                {mayAct(person, "admin") && session.mode === "team" && <MembersPanel projectId={projectId} />}
              </aside>
            </div>
          </>
        )}
      </Show>
    </main>
  );
}

function Pictures({ projectId, total }: { projectId: number; total: number }): ReactNode {
  const [offset, setOffset] = useState(0);
  const [state, setState] = useState<Schemas["TaskState"] | "">("");
  const pictures = useLoaded(
    `pictures-${projectId}-${offset}-${state}-${total}`,
    () =>
      take(
        server.GET("/api/v1/projects/{project_id}/images", {
          params: { path: { project_id: projectId }, query: { offset, limit: PAGE, ...(state === "" ? {} : { state }) } },
        }),
      ),
    10_000,
  );
  return (
    <section aria-labelledby="pictures-title" className="grow">
      <div className="row head">
        <h2 id="pictures-title">Pictures</h2>
        <label className="inline">
          Show
          <select
            value={state}
            onChange={(event) => {
              setOffset(0);
              setState(event.target.value as Schemas["TaskState"] | "");
            }}
          >
            <option value="">all</option>
            {Object.entries(STATES).map(([value, name]) => <option key={value} value={value}>{name.toLowerCase()}</option>)}
          </select>
        </label>
      </div>
      <Show loaded={pictures}>
        {(page) => (
          <>
            {page.images.length === 0 && <p className="quiet">No pictures here. Add some on the right.</p>}
            <ul className="pictures">
              {page.images.map((image) => <PictureCard key={image.id} image={image} />)}
            </ul>
            <Pager offset={offset} total={page.total} onOffset={setOffset} />
          </>
        )}
      </Show>
    </section>
  );
}

function PictureCard({ image }: { image: Schemas["Image"] }): ReactNode {
  return (
    <li>
      <Link href={`/projects/${image.project_id}/annotate/${image.id}`} className="picture">
        <img src={image.thumbnail_url} alt="" loading="lazy" width="160" height="120" />
        <span className="picture-name">{image.file_name}</span>
        <span className="row quiet">
          <span className={`badge badge-${image.state}`}>{STATES[image.state]}</span>
          {image.review !== "none" && <span className={`badge badge-${image.review}`}>{image.review}</span>}
          <span>{image.masks === 1 ? "1 mask" : `${image.masks} masks`}</span>
        </span>
        {image.embedding === "failed" && <span className="badge badge-reject">model failed on it</span>}
      </Link>
    </li>
  );
}

function Pager({ offset, total, onOffset }: { offset: number; total: number; onOffset: (to: number) => void }): ReactNode {
  if (total <= PAGE) return null;
  return (
    <nav className="row" aria-label="More pictures">
      <button type="button" disabled={offset === 0} onClick={() => { onOffset(Math.max(0, offset - PAGE)); }}>Before</button>
      <span className="quiet">{offset + 1} to {Math.min(total, offset + PAGE)} of {total}</span>
      <button type="button" disabled={offset + PAGE >= total} onClick={() => { onOffset(offset + PAGE); }}>Next</button>
    </nav>
  );
}

