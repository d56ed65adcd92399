// The package's interface. What each of it does is said in index.d.mts, for editors.

export { build } from './build.mjs';
export { connect } from './client.mjs';
export { dollars } from './prices.mjs';
export { start } from './start.mjs';
export { PATIENCE, within } from './wait.mjs';
