// The chat with Vue.

import { createApp } from "vue";
import App from "./App.vue";

const name = new URLSearchParams(location.search).get("name") ?? "somebody";
createApp(App, { name }).mount("#app");
