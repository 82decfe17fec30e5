/** How people work on a project, and who they are. */

import { type SubmitEvent, type ReactNode, useState } from "react";

import { type Schemas, server, take } from "../client";
import { Notice, Show, useLoaded, useWork } from "./loading";

export function SettingsPanel({ project, onSaved }: { project: Schemas["Project"]; onSaved: () => void }): ReactNode {
  const [instructions, setInstructions] = useState(project.instructions);
  const [settings, setSettings] = useState(project.settings);
  const [labels, setLabels] = useState((project.settings.labels ?? []).join(", "));
  const { isBusy, error, run } = useWork();
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const names = labels.split(",").map((name) => name.trim()).filter((name) => name !== "");
    run(async () => {
      await take(
        server.PATCH("/api/v1/projects/{project_id}", {
          params: { path: { project_id: project.id } },
          body: { instructions, settings: { ...settings, labels: names } },
        }),
      );
      onSaved();
    });
  };
  return (
    <section className="card" aria-labelledby="settings-title">
      <h2 id="settings-title">How people work</h2>
      <form className="form" onSubmit={submit}>
        <label>
          Instructions
          <textarea rows={5} value={instructions} onChange={(event) => { setInstructions(event.target.value); }} />
        </label>
        <label>
          Labels to offer, with commas between
          <input value={labels} onChange={(event) => { setLabels(event.target.value); }} />
        </label>
        <label>
          Suggest the next picture when a mask takes longer than (seconds)
          <input
            type="number"
            min={1}
            value={settings.suggest_next_after_s}
            onChange={(event) => { setSettings({ ...settings, suggest_next_after_s: Number(event.target.value) }); }}
          />
        </label>
        <label className="check">
          <input
            type="checkbox"
            checked={settings.review}
            onChange={(event) => { setSettings({ ...settings, review: event.target.checked }); }}
          />
          Finished pictures go to a reviewer
        </label>
        <Notice text={error} />
        <button type="submit" disabled={isBusy}>Save</button>
      </form>
    </section>
  );
}

export function MembersPanel({ projectId }: { projectId: number }): ReactNode {
  const path = { project_id: projectId };
  const members = useLoaded(`members-${projectId}`, () =>
    take(server.GET("/api/v1/projects/{project_id}/members", { params: { path } })),
  );
  const people = useLoaded("people", () => take(server.GET("/api/v1/people")));
  const { isBusy, error, run } = useWork();
  const change = (personId: number, isAdded: boolean): void => {
    const params = { path: { ...path, person_id: personId } };
    run(async () => {
      if (isAdded) await take(server.PUT("/api/v1/projects/{project_id}/members/{person_id}", { params }));
      else await take(server.DELETE("/api/v1/projects/{project_id}/members/{person_id}", { params }));
      members.reload();
    });
  };
  return (
    <section className="card" aria-labelledby="members-title">
      <h2 id="members-title">Members</h2>
      <Show loaded={people}>
        {(everybody) => (
          <ul className="plain">
            {everybody.filter((person) => person.active).map((person) => {
              const isMember = (members.data ?? []).some((member) => member.id === person.id);
              return (
                <li key={person.id}>
                  <label className="check">
                    <input
                      type="checkbox"
                      checked={isMember}
                      disabled={isBusy}
                      onChange={(event) => { change(person.id, event.target.checked); }}
                    />
                    {person.name} <span className="quiet">{person.role}</span>
                  </label>
                </li>
              );
            })}
          </ul>
        )}
      </Show>
      <Notice text={error} />
    </section>
  );
}
