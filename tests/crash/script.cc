#include "tests/crash/script.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sightline::index {
namespace {

// How much later an id is written the second and the third time. Both exceed kWindow, and so does their difference.
// Seen from the later writes: n % 8 of 5 replaces one of 0, 6 deletes one of 1, 7 changes one of 2, 4 writes again what
// was deleted.
constexpr int64_t kSecond = 205;
constexpr int64_t kThird = 411;

}  // namespace

int64_t OwnerOf(int64_t n) {
  const int64_t turn = n % 8;
  if (turn >= 5 && n >= kSecond) return n - kSecond;
  if (turn == 4 && n >= kThird) return n - kThird;
  return n;
}

Action ActionOf(int64_t n) {
  if (OwnerOf(n) == n || n % 8 <= 5) return Action::kPut;
  return n % 8 == 6 ? Action::kDelete : Action::kUpdate;
}

std::string IdOf(int64_t owner) { return absl::StrCat("r", owner); }

Write ScriptedPut(int64_t n) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::normal_distribution<float> normal;
  Write write;
  write.request_id = absl::StrCat("q", n);
  Record& record = write.record;
  record.id = IdOf(OwnerOf(n));
  record.attributes = {{"number", n}, {"text", std::string(static_cast<size_t>(n % 50), 'x')}};
  for (int i = 0; i < kScriptDim; ++i) record.descriptor.push_back(normal(random));
  // Half of the token values exceed the size from which they live in blob files.
  PatchTokens tokens{7, 7, n % 2 == 0 ? 96 : 32, {}, {}, {}, {}};
  const size_t dim = static_cast<size_t>(tokens.dim);
  for (size_t i = 0; i < 49 * dim; ++i) tokens.values.push_back(static_cast<int8_t>(random()));
  for (size_t i = 0; i < 49; ++i) tokens.scales.push_back(normal(random));
  tokens.importance.assign(49, 1.0f / 49);
  for (size_t i = 0; i < dim; ++i) tokens.centre.push_back(normal(random));
  record.tokens = std::move(tokens);
  return write;
}

AttributeChange ScriptedChange(int64_t n) { return {.set = {{"changed", n}}, .remove = {"text"}, .replace = false}; }

std::optional<ScriptState> StateAfter(int64_t writes, int64_t owner) {
  if (owner < 0 || owner >= writes || OwnerOf(owner) != owner) return std::nullopt;
  const int64_t second = owner + kSecond;
  const int64_t third = owner + kThird;
  // An early write of any turn may be the first of an id; only these turns have a second.
  switch (owner % 8) {
    case 0:
      if (second < writes) return ScriptState{second, false, std::nullopt};
      break;
    case 1:
      if (third < writes) return ScriptState{third, true, std::nullopt};
      if (second < writes) return std::nullopt;
      break;
    case 2:
      if (second < writes) return ScriptState{owner, true, second};
      break;
    default: break;
  }
  return ScriptState{owner, true, std::nullopt};
}

}  // namespace sightline::index
