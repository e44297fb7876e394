// The script of the kill loop: what write n is, and what is under each id once writes 0 to n - 1 are done. Everything
// follows from n alone.
//
// Half of the writes are new ids; the others replace, delete, write again or change an id that was new some hundred
// writes before. No id is written twice within kWindow writes, so that sending the last kWindow writes again, with
// their request ids, changes nothing.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_TESTS_CRASH_SCRIPT_H_
#define SIGHTLINE_TESTS_CRASH_SCRIPT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "index/collection.h"

namespace sightline::index {

inline constexpr int kScriptDim = 48;
inline constexpr int kWindow = 128;

enum class Action { kPut, kDelete, kUpdate };

Action ActionOf(int64_t n);
// The write that was the first of the id of write n.
int64_t OwnerOf(int64_t n);
std::string IdOf(int64_t owner);

// What write n puts, with a request id; of kPut only.
Write ScriptedPut(int64_t n);
// What write n changes; of kUpdate only.
AttributeChange ScriptedChange(int64_t n);

// What is under an id after some writes: which write put it, whether it is the first put of this id, and which write
// changed it since.
struct ScriptState {
  int64_t put = 0;
  bool first = true;
  std::optional<int64_t> change;
};

// nullopt when there is nothing, or when `owner` is not the first write of an id.
std::optional<ScriptState> StateAfter(int64_t writes, int64_t owner);

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_CRASH_SCRIPT_H_
