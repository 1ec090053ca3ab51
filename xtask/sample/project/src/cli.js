// Usage: node src/cli.js FILE [DISCOUNT]

console.error("the command line is not written yet");
process.exitCode = 1;
