/** Pictures and masks in and out of a project, and how far the server is with it. */

import { type SubmitEvent, type ReactNode, useState } from "react";

import { type Schemas, server, take } from "../client";
import { Notice, useLoaded, useWork } from "./loading";
import { mayAct, useHere } from "./session";

const FORMATS: Record<Schemas["Format"], string> = {
  folder: "Folder of pictures",
  coco: "COCO",
  sa1b: "SA-1B",
  labels: "Label maps",
};

export function ImportPanel({ projectId, onDone }: { projectId: number; onDone: () => void }): ReactNode {
  const { info } = useHere();
  return (
    <section className="card" aria-labelledby="import-title">
      <h2 id="import-title">Add pictures</h2>
      <UploadForm projectId={projectId} maxBytes={info.max_upload_bytes} onDone={onDone} />
      {info.can_import_folders && <PathForm projectId={projectId} onDone={onDone} />}
      <MasksForm projectId={projectId} onDone={onDone} />
    </section>
  );
}

function UploadForm({ projectId, maxBytes, onDone }: { projectId: number; maxBytes: number; onDone: () => void }): ReactNode {
  const [done, setDone] = useState<{ count: number; total: number; refused: string[] } | null>(null);
  const { isBusy, error, run } = useWork();

  const upload = async (files: readonly File[]): Promise<void> => {
    const refused: string[] = [];
    for (const [index, file] of files.entries()) {
      setDone({ count: index, total: files.length, refused });
      if (file.size > maxBytes) {
        refused.push(`${file.name} is larger than ${Math.round(maxBytes / 2 ** 20)} MB.`);
        continue;
      }
      const query = { file_name: file.name };
      await take(
        server.POST("/api/v1/projects/{project_id}/images", {
          params: { path: { project_id: projectId }, query },
          body: file as unknown as string,
          bodySerializer: (body) => body,
          headers: { "Content-Type": "application/octet-stream" },
        }),
      ).catch((reason: unknown) => refused.push(`${file.name}: ${reason instanceof Error ? reason.message : ""}`));
    }
    setDone({ count: files.length - refused.length, total: files.length, refused });
    onDone();
  };
  return (
    <div className="form">
      <label className="file">
        From this computer
        <input
          type="file"
          multiple
          accept="image/jpeg,image/png,image/webp,image/gif"
          disabled={isBusy}
          onChange={(event) => {
            const files = [...(event.target.files ?? [])];
            if (files.length > 0) run(() => upload(files));
          }}
        />
      </label>
      <Notice text={error} />
      {done !== null && <p className="quiet" role="status">{done.count} of {done.total} pictures added.</p>}
      {done !== null && <Notice text={done.refused.slice(0, 5).join(" ")} />}
    </div>
  );
}

function PathForm({ projectId, onDone }: { projectId: number; onDone: () => void }): ReactNode {
  const [format, setFormat] = useState<Schemas["Format"]>("folder");
  const [path, setPath] = useState("");
  const { isBusy, error, run } = useWork();
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    run(async () => {
      await take(
        server.POST("/api/v1/projects/{project_id}/imports", {
          params: { path: { project_id: projectId } },
          body: { format, path },
        }),
      );
      onDone();
    });
  };
  return (
    <details>
      <summary>From a folder of the server</summary>
      <form className="form" onSubmit={submit}>
        <label>
          Form
          <select value={format} onChange={(event) => { setFormat(event.target.value as Schemas["Format"]); }}>
            {Object.entries(FORMATS).map(([value, name]) => <option key={value} value={value}>{name}</option>)}
          </select>
        </label>
        <label>
          Folder or file on the server
          <input value={path} onChange={(event) => { setPath(event.target.value); }} required />
        </label>
        <Notice text={error} />
        <button type="submit" disabled={isBusy}>Import</button>
      </form>
    </details>
  );
}

function MasksForm({ projectId, onDone }: { projectId: number; onDone: () => void }): ReactNode {
  const [format, setFormat] = useState<Schemas["Format"]>("coco");
  const { isBusy, error, run } = useWork();
  return (
    <details>
      <summary>Masks for pictures that are here</summary>
      <div className="form">
        <label>
          Form
          <select value={format} onChange={(event) => { setFormat(event.target.value as Schemas["Format"]); }}>
            {(["coco", "sa1b", "labels"] as const).map((value) => <option key={value} value={value}>{FORMATS[value]}</option>)}
          </select>
        </label>
        <label className="file">
          File
          <input
            type="file"
            accept=".json,.png"
            disabled={isBusy}
            onChange={(event) => {
              const [file] = event.target.files ?? [];
              if (file === undefined) return;
              run(async () => {
                await take(
                  server.POST("/api/v1/projects/{project_id}/annotations", {
                    params: { path: { project_id: projectId }, query: { format, file_name: file.name } },
                    body: file as unknown as string,
                    bodySerializer: (body) => body,
                    headers: { "Content-Type": "application/octet-stream" },
                  }),
                );
                onDone();
              });
            }}
          />
        </label>
        <Notice text={error} />
      </div>
    </details>
  );
}

export function ExportPanel({ projectId }: { projectId: number }): ReactNode {
  const [format, setFormat] = useState<Schemas["ExportFormat"]>("coco");
  const [onlyFinished, setOnlyFinished] = useState(true);
  const [withProposed, setWithProposed] = useState(false);
  const { isBusy, error, run } = useWork();
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    run(async () => {
      await take(
        server.POST("/api/v1/projects/{project_id}/exports", {
          params: { path: { project_id: projectId } },
          body: { format, only_finished: onlyFinished, with_proposed: withProposed },
        }),
      );
    });
  };
  return (
    <section className="card" aria-labelledby="export-title">
      <h2 id="export-title">Export</h2>
      <form className="form" onSubmit={submit}>
        <label>
          Form
          <select value={format} onChange={(event) => { setFormat(event.target.value as Schemas["ExportFormat"]); }}>
            {(["coco", "sa1b", "labels"] as const).map((value) => <option key={value} value={value}>{FORMATS[value]}</option>)}
          </select>
        </label>
        <label className="check">
          <input type="checkbox" checked={onlyFinished} onChange={(event) => { setOnlyFinished(event.target.checked); }} />
          Finished pictures only
        </label>
        <label className="check">
          <input type="checkbox" checked={withProposed} onChange={(event) => { setWithProposed(event.target.checked); }} />
          Proposed masks, too
        </label>
        <Notice text={error} />
        <button type="submit" disabled={isBusy}>Export</button>
      </form>
    </section>
  );
}

const KINDS: Record<Schemas["JobKind"], string> = { embed: "Model", propose: "Proposals", import: "Import", export: "Export" };
const JOB_STATES: Record<Schemas["JobState"], string> = {
  waiting: "waits",
  running: "runs",
  done: "done",
  set_aside: "set aside",
  cancelled: "cancelled",
};

export function JobList({ projectId }: { projectId: number }): ReactNode {
  const jobs = useLoaded(
    `jobs-${projectId}`,
    () => take(server.GET("/api/v1/projects/{project_id}/jobs", { params: { path: { project_id: projectId } } })),
    2000,
  );
  const list = (jobs.data ?? []).slice(0, 8);
  if (list.length === 0) return <Notice text={jobs.error} />;
  return (
    <section className="card" aria-labelledby="jobs-title">
      <h2 id="jobs-title">Imports and exports</h2>
      <ul className="plain">
        {list.map((job) => <JobRow key={job.id} job={job} onChange={jobs.reload} />)}
      </ul>
    </section>
  );
}

function JobRow({ job, onChange }: { job: Schemas["Job"]; onChange: () => void }): ReactNode {
  const { person } = useHere();
  const { error, run } = useWork();
  const params = { path: { job_id: job.id } };
  const isOpen = job.state === "waiting" || job.state === "running";
  return (
    <li className="job">
      <div className="row">
        <strong>{KINDS[job.kind]}</strong>
        <span className="badge">{JOB_STATES[job.state]}</span>
        <span className="quiet">
          {job.done}{job.total !== null && ` of ${job.total}`}
          {job.seconds_left !== null && isOpen && `, ${Math.ceil(job.seconds_left)} s left`}
        </span>
      </div>
      {isOpen && job.total !== null && <progress max={Math.max(1, job.total)} value={job.done} aria-label="Progress" />}
      {job.message !== "" && <p className="quiet">{job.message}</p>}
      {job.problems.length > 0 && (
        <details>
          <summary>{job.problems.length} left out</summary>
          <ul className="plain quiet">{job.problems.map((text) => <li key={text}>{text}</li>)}</ul>
        </details>
      )}
      <div className="row">
        {job.download_url !== null && <a className="button" href={job.download_url} download>Download</a>}
        {mayAct(person, "reviewer") && isOpen && (
          <button
            type="button"
            onClick={() => {
              run(async () => {
                await take(server.POST("/api/v1/jobs/{job_id}/cancel", { params }));
                onChange();
              });
            }}
          >
            Cancel
          </button>
        )}
        {mayAct(person, "reviewer") && (job.state === "set_aside" || job.state === "cancelled") && (
          <button
            type="button"
            onClick={() => {
              run(async () => {
                await take(server.POST("/api/v1/jobs/{job_id}/retry", { params }));
                onChange();
              });
            }}
          >
            Try again
          </button>
        )}
      </div>
      <Notice text={error} />
    </li>
  );
}
