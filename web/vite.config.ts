import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const ONNX = "onnxruntime-web-use-extern-wasm";

export default defineConfig({
  plugins: [react()],
  base: "/",
  // The runtime's two files are assets of ours: nothing is inlined, so that a strict policy lets all of it in.
  resolve: { conditions: [ONNX, "module", "browser", "development|production"] },
  worker: { format: "es" },
  build: {
    outDir: fileURLToPath(new URL("../src/anymask/server/static", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
