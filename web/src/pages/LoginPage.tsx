/** Name and password. */

import { type SubmitEvent, type ReactNode, useState } from "react";

import { server, take } from "../client";
import { Notice, useWork } from "./loading";

export function LoginPage({ onSignedIn, reason = "" }: { onSignedIn: () => void; reason?: string }): ReactNode {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const { isBusy, error, run } = useWork();

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    run(async () => {
      await take(server.POST("/api/v1/session", { body: { name, password } }));
      setPassword("");
      onSignedIn();
    });
  };
  return (
    <main className="page page-narrow login" aria-labelledby="login-title">
      <form className="card form" onSubmit={submit}>
        <img src="/icon.svg" alt="" width="44" height="44" />
        <h1 id="login-title">Sign in to anymask</h1>
        <Notice text={reason} kind="info" />
        <label>
          Name
          <input value={name} onChange={(event) => { setName(event.target.value); }} autoComplete="username" required />
        </label>
        <label>
          Password
          <input
            type="password"
            value={password}
            onChange={(event) => { setPassword(event.target.value); }}
            autoComplete="current-password"
            required
          />
        </label>
        <Notice text={error} />
        <button type="submit" className="primary" disabled={isBusy}>Sign in</button>
      </form>
    </main>
  );
}
