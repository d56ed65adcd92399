export const regressions = [];
