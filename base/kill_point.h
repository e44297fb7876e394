// Kill points: named places at which a test can make the process die as by kill -9.
//
// One stands at every step between which a crash must do no harm. A point costs one relaxed load of an atomic when it
// is not armed. It is armed by the environment, read at the first point passed, and only where
// SIGHTLINE_ALLOW_KILL_POINTS=1 says so, so that nothing in production dies of a forgotten variable:
//
//   SIGHTLINE_KILL_POINT=NAME[:N]  die at the N-th passing of NAME (the first when N is not given)
//   SIGHTLINE_KILL_ODDS=N          die at one in N passings of any point, drawn by SIGHTLINE_KILL_SEED (0 when not set)
//   SIGHTLINE_KILL_POINT_LIST=FILE append the name of each point, when it is first passed, to FILE as a line
//
// Names are "part.step", and a name stands at one place only.
//
// Threading: any thread. Failure: a value that cannot be understood ends the process with a message: a test that would
// kill nothing must not pass.
//
//   SIGHTLINE_KILL_POINT("segment.after_write");
#ifndef SIGHTLINE_BASE_KILL_POINT_H_
#define SIGHTLINE_BASE_KILL_POINT_H_

#include <atomic>

namespace sightline::base::internal {

enum class KillPointState { kUnknown, kDisarmed, kArmed };

extern std::atomic<KillPointState> kill_point_state;

// Reads the environment the first time; returns unless the process is to die here.
void PassKillPoint(const char* name);

}  // namespace sightline::base::internal

#define SIGHTLINE_KILL_POINT(name)                                                       \
  do {                                                                                   \
    if (::sightline::base::internal::kill_point_state.load(std::memory_order_relaxed) != \
        ::sightline::base::internal::KillPointState::kDisarmed) [[unlikely]] {           \
      ::sightline::base::internal::PassKillPoint(name);                                  \
    }                                                                                    \
  } while (false)

#endif  // SIGHTLINE_BASE_KILL_POINT_H_
