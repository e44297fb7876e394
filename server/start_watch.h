// StartWatch: ends a process that has too little memory to start, with a sentence instead of none.
//
// OpenBLAS asks for 128 MiB a core before main begins, and asks again for ever where it cannot have them: under a small
// RLIMIT_DATA the program would neither start nor end. So a timer runs from before the libraries are initialised until
// main begins; it counts processor time, which a busy machine does not use up. While the server starts, memory that
// cannot be had ends it too; once it serves, each request is on its own.
//
// Threading: call both from the main thread. Ownership: the process has one. Failure: none.
//
//   int main() {
//     sightline::server::MainBegins();
//     ... start ...
//     sightline::server::StartEnds();
#ifndef SIGHTLINE_SERVER_START_WATCH_H_
#define SIGHTLINE_SERVER_START_WATCH_H_

namespace sightline::server {

// First thing in main.
void MainBegins();

// When the server serves.
void StartEnds();

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_START_WATCH_H_
