/** Where the browser begins. */

import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./pages/App";
import "./style.css";

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no element #root");
createRoot(root).render(createElement(StrictMode, null, createElement(App)));
