/** Every page, and who may see it. */

import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { Redirect, Route, Switch } from "wouter";

import { type Schemas, server, setCsrfToken, take } from "../client";
import { Log } from "../log";
import { AnnotatePage } from "./AnnotatePage";
import { EnginePage } from "./EnginePage";
import { Frame } from "./Frame";
import { messageOf, Notice } from "./loading";
import { LoginPage } from "./LoginPage";
import { PeoplePage } from "./PeoplePage";
import { ProjectPage } from "./ProjectPage";
import { ProjectsPage } from "./ProjectsPage";
import { RatePage } from "./RatePage";
import { ReviewPage } from "./ReviewPage";
import { HereContext } from "./session";
import { StatisticsPage } from "./StatisticsPage";

interface Start {
  readonly session: Schemas["Session"];
  readonly info: Schemas["Info"];
  readonly log: Log;
}

let log: Promise<Log> | null = null;

async function begin(): Promise<Start> {
  const session = await take(server.GET("/api/v1/session"));
  setCsrfToken(session.csrf_token);
  log ??= Log.open();
  return { session, info: await take(server.GET("/api/v1/info")), log: await log };
}

export function App(): ReactNode {
  const [start, setStart] = useState<Start | null>(null);
  const [error, setError] = useState("");
  const [isSignedOut, setSignedOut] = useState(false);

  const load = useCallback(() => {
    begin().then(
      (started) => {
        setError("");
        setStart(started);
        setSignedOut(false);
      },
      (reason: unknown) => { setError(messageOf(reason)); },
    );
  }, []);
  useEffect(load, [load]);

  const here = useMemo(() => {
    if (start?.session.person == null) return null;
    const signOut = (): void => {
      void server.DELETE("/api/v1/session").then(load);
    };
    return { ...start, person: start.session.person, onSignedOut: () => { setSignedOut(true); }, signOut };
  }, [start, load]);

  if (start === null) {
    return (
      <main className="page page-narrow">
        <h1>anymask</h1>
        {error === "" ? <p className="quiet">Loading…</p> : <Notice text={error} />}
        {error !== "" && <button type="button" onClick={load}>Try again</button>}
      </main>
    );
  }
  if (here === null) return <LoginPage onSignedIn={load} />;
  return (
    <HereContext value={here}>
      <Frame>
        <Switch>
          <Route path="/"><ProjectsPage /></Route>
          <Route path="/people"><PeoplePage /></Route>
          <Route path="/projects/:project">{({ project }) => <ProjectPage projectId={Number(project)} />}</Route>
          <Route path="/projects/:project/rate">
            {({ project }) => <RatePage key={project} projectId={Number(project)} />}
          </Route>
          <Route path="/projects/:project/statistics">
            {({ project }) => <StatisticsPage projectId={Number(project)} />}
          </Route>
          <Route path="/projects/:project/engine">{({ project }) => <EnginePage projectId={Number(project)} />}</Route>
          <Route path="/projects/:project/annotate/:image?">
            {({ project, image }) => (
              <AnnotatePage key={project} projectId={Number(project)} imageId={image === undefined ? null : Number(image)} />
            )}
          </Route>
          <Route path="/projects/:project/review/:image?">
            {({ project, image }) => (
              <ReviewPage projectId={Number(project)} imageId={image === undefined ? null : Number(image)} />
            )}
          </Route>
          <Route><Redirect to="/" /></Route>
        </Switch>
      </Frame>
      {isSignedOut && (
        <div className="veil">
          <LoginPage onSignedIn={load} reason="Your session has ended. What you did is kept; sign in again and it is saved." />
        </div>
      )}
    </HereContext>
  );
}
