/** Everybody who works here. */

import { type SubmitEvent, type ReactNode, useState } from "react";

import { type Schemas, server, take } from "../client";
import { Notice, Show, useLoaded, useWork } from "./loading";
import { useHere } from "./session";

const ROLES: readonly Schemas["Role"][] = ["annotator", "reviewer", "admin"];

export function PeoplePage(): ReactNode {
  const people = useLoaded("people", () => take(server.GET("/api/v1/people")));
  return (
    <main className="page">
      <h1>People</h1>
      <Show loaded={people}>
        {(list) => (
          <table>
            <thead>
              <tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">May sign in</th></tr>
            </thead>
            <tbody>{list.map((person) => <PersonRow key={person.id} person={person} onChange={people.reload} />)}</tbody>
          </table>
        )}
      </Show>
      <NewPerson onMade={people.reload} />
    </main>
  );
}

function PersonRow({ person, onChange }: { person: Schemas["Person"]; onChange: () => void }): ReactNode {
  const here = useHere();
  const { isBusy, error, run } = useWork();
  const change = (body: Schemas["PersonChange"]): void => {
    run(async () => {
      await take(server.PATCH("/api/v1/people/{person_id}", { params: { path: { person_id: person.id } }, body }));
      onChange();
    });
  };
  const isOneself = person.id === here.person.id;
  return (
    <tr>
      <th scope="row">{person.name}<Notice text={error} /></th>
      <td>
        <select
          aria-label={`Role of ${person.name}`}
          value={person.role}
          disabled={isBusy || isOneself}
          onChange={(event) => { change({ role: event.target.value as Schemas["Role"] }); }}
        >
          {ROLES.map((role) => <option key={role}>{role}</option>)}
        </select>
      </td>
      <td>
        <input
          type="checkbox"
          aria-label={`${person.name} may sign in`}
          checked={person.active}
          disabled={isBusy || isOneself}
          onChange={(event) => { change({ active: event.target.checked }); }}
        />
      </td>
    </tr>
  );
}

function NewPerson({ onMade }: { onMade: () => void }): ReactNode {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Schemas["Role"]>("annotator");
  const { isBusy, error, run } = useWork();
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    run(async () => {
      await take(server.POST("/api/v1/people", { body: { name, password, role } }));
      setName("");
      setPassword("");
      onMade();
    });
  };
  return (
    <section aria-labelledby="new-person">
      <h2 id="new-person">New person</h2>
      <form className="row" onSubmit={submit}>
        <label>Name<input value={name} onChange={(event) => { setName(event.target.value); }} required autoComplete="off" /></label>
        <label>
          Password
          <input
            type="password"
            value={password}
            minLength={10}
            onChange={(event) => { setPassword(event.target.value); }}
            required
            autoComplete="new-password"
          />
        </label>
        <label>
          Role
          <select value={role} onChange={(event) => { setRole(event.target.value as Schemas["Role"]); }}>
            {ROLES.map((one) => <option key={one}>{one}</option>)}
          </select>
        </label>
        <button type="submit" disabled={isBusy}>Add person</button>
      </form>
      <Notice text={error} />
    </section>
  );
}
