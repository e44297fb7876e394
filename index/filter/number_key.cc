#include "index/filter/number_key.h"

#include <bit>
#include <cmath>
#include <limits>
#include <variant>

namespace sightline::index {
namespace {

constexpr uint64_t kSign = uint64_t{1} << 63;
constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr NumberRange kAllWhole = {0, ~uint64_t{0}};

// Where a bound stands among the numbers of one kind.
struct Position {
  uint64_t first_not_less;  // key of the least number that is not less than the bound
  bool any_not_less;        // false: every number is less
  bool equal;               // that number equals the bound
};

NumberRange Select(CompareOp op, const Position& at, const NumberRange& all) {
  const NumberRange none;
  const bool any_less = !at.any_not_less || at.first_not_less > all.least;
  const uint64_t last_less = at.any_not_less ? at.first_not_less - 1 : all.most;
  const bool any_greater = at.any_not_less && (!at.equal || at.first_not_less < all.most);
  const uint64_t first_greater = at.equal ? at.first_not_less + 1 : at.first_not_less;
  switch (op) {
    case CompareOp::kEqual:
    case CompareOp::kNotEqual:
      return at.any_not_less && at.equal ? NumberRange{at.first_not_less, at.first_not_less} : none;
    case CompareOp::kLess: return any_less ? NumberRange{all.least, last_less} : none;
    case CompareOp::kLessOrEqual:
      if (at.any_not_less && at.equal) return {all.least, at.first_not_less};
      return any_less ? NumberRange{all.least, last_less} : none;
    case CompareOp::kGreater: return any_greater ? NumberRange{first_greater, all.most} : none;
    case CompareOp::kGreaterOrEqual: return at.any_not_less ? NumberRange{at.first_not_less, all.most} : none;
  }
  return none;
}

Position AmongWholeNumbers(double bound) {
  const double up = std::ceil(bound);
  if (up >= kTwoTo63) return {0, false, false};
  if (up < -kTwoTo63) return {NumberKey(std::numeric_limits<int64_t>::min()), true, false};
  return {NumberKey(static_cast<int64_t>(up)), true, up == bound};
}

Position AmongDoubles(int64_t bound) {
  const double nearest = static_cast<double>(bound);
  // The nearest double may be 2^63, which is beyond every whole number.
  const bool beyond = nearest >= kTwoTo63;
  const int64_t back = beyond ? 0 : static_cast<int64_t>(nearest);
  if (!beyond && back < bound) return {NumberKey(nearest) + 1, true, false};
  return {NumberKey(nearest), true, !beyond && back == bound};
}

}  // namespace

uint64_t NumberKey(int64_t value) { return static_cast<uint64_t>(value) ^ kSign; }

uint64_t NumberKey(double value) {
  const uint64_t bits = std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

int64_t WholeNumberOf(uint64_t key) { return static_cast<int64_t>(key ^ kSign); }

double DoubleOf(uint64_t key) { return std::bit_cast<double>((key & kSign) != 0 ? key ^ kSign : ~key); }

NumberRange WholeNumbers(CompareOp op, const FilterValue& bound) {
  if (const auto* number = std::get_if<double>(&bound)) {
    return std::isnan(*number) ? NumberRange() : Select(op, AmongWholeNumbers(*number), kAllWhole);
  }
  return Select(op, {NumberKey(std::get<int64_t>(bound)), true, true}, kAllWhole);
}

NumberRange Doubles(CompareOp op, const FilterValue& bound) {
  const NumberRange all = {NumberKey(-std::numeric_limits<double>::infinity()),
                           NumberKey(std::numeric_limits<double>::infinity())};
  if (const auto* number = std::get_if<double>(&bound)) {
    return std::isnan(*number) ? NumberRange() : Select(op, {NumberKey(*number), true, true}, all);
  }
  return Select(op, AmongDoubles(std::get<int64_t>(bound)), all);
}

}  // namespace sightline::index
