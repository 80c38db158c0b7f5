// Says that it is there, and stays.
console.log("here");
setInterval(() => undefined, 1_000);
