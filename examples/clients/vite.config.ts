import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [vue()],
  build: { rollupOptions: { input: ["react.html", "vue.html"] } },
  // `npx wrangler dev` in examples/recipes is the server.
  server: { proxy: { "/chat/": { target: "http://localhost:8787", ws: true } } },
});
