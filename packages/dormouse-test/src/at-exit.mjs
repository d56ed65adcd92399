// What is left to do when this process ends. It is one listener, however many servers there
// are: Node warns of more than ten.

const left = new Set();

/** Has a function be called when this process ends. Returns a function that takes it back. */
export function atExit(task) {
  if (left.size === 0) process.on('exit', doAll);
  left.add(task);
  return () => {
    left.delete(task);
    if (left.size === 0) process.off('exit', doAll);
  };
}

function doAll() {
  for (const task of left) task();
}
