/** The bar over every page: where one is, who one is, light or dark. */

import type { ReactNode } from "react";
import { Link, useRoute } from "wouter";

import { server, take } from "../client";
import { Icon } from "./icons";
import { useLoaded } from "./loading";
import { mayAct, useHere } from "./session";
import { useTheme } from "./theme";

function NavLink({ href, children }: { href: string; children: ReactNode }): ReactNode {
  const [isHere] = useRoute(href);
  return (
    <Link href={href} className="nav-link" aria-current={isHere ? "page" : undefined}>
      {children}
    </Link>
  );
}

function ProjectLinks({ projectId }: { projectId: number }): ReactNode {
  const { person } = useHere();
  const project = useLoaded(`frame-${projectId}`, () =>
    take(server.GET("/api/v1/projects/{project_id}", { params: { path: { project_id: projectId } } })),
  );
  const base = `/projects/${projectId}`;
  return (
    <>
      <span className="crumb" aria-hidden="true">/</span>
      <span className="crumb crumb-name">{project.data?.name ?? "…"}</span>
      {project.data?.kind === "rate" && (
        <>
          <NavLink href={base}>Study</NavLink>
          <NavLink href={`${base}/rate`}>Rate</NavLink>
        </>
      )}
      {project.data !== null && project.data.kind !== "rate" && (
        <>
          <NavLink href={base}>Pictures</NavLink>
          <NavLink href={`${base}/annotate`}>{project.data.kind === "correct" ? "Correct" : "Annotate"}</NavLink>
          {mayAct(person, "reviewer") && <NavLink href={`${base}/review`}>Review</NavLink>}
          <NavLink href={`${base}/statistics`}>Statistics</NavLink>
          <NavLink href={`${base}/engine`}>Engine</NavLink>
        </>
      )}
    </>
  );
}

export function Frame({ children }: { children: ReactNode }): ReactNode {
  const { person, session, signOut } = useHere();
  const { theme, toggle } = useTheme();
  const [, inProject] = useRoute("/projects/:project/*?");
  return (
    <div className="frame">
      <a className="skip" href="#main">To the page</a>
      <header className="bar">
        <nav aria-label="Pages">
          <Link href="/" className="brand"><img src="/icon.svg" alt="" width="24" height="24" />anymask</Link>
          {inProject !== null && <ProjectLinks projectId={Number(inProject.project)} />}
          {session.mode === "team" && mayAct(person, "admin") && <NavLink href="/people">People</NavLink>}
        </nav>
        <div className="bar-end">
          <span className="quiet">{person.name}</span>
          <button
            type="button"
            className="icon-button"
            onClick={toggle}
            title={theme === "dark" ? "Light colours" : "Dark colours"}
            aria-label={theme === "dark" ? "Light colours" : "Dark colours"}
          >
            <Icon name={theme === "dark" ? "sun" : "moon"} />
          </button>
          {session.mode === "team" && <button type="button" onClick={signOut}>Sign out</button>}
        </div>
      </header>
      <div id="main" className="content" tabIndex={-1}>{children}</div>
    </div>
  );
}
