// Truth: what a collection must hold, told write by write, and the comparison with what it does hold.
//
// Every record follows from one number, so that the truth of a record is that number. A write that was not acknowledged
// may be there after the data are opened again, wholly, or not at all; while the collection stays open it must not.
//
// Threading: one thread. Failure: gtest failures.
#ifndef SIGHTLINE_TESTS_INDEX_DURABILITY_TRUTH_H_
#define SIGHTLINE_TESTS_INDEX_DURABILITY_TRUTH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "index/database.h"

namespace sightline::index {

inline constexpr int kTruthDim = 16;

// The settings that NumberedWrite fits.
CollectionConfig TruthConfig(const std::string& name);

// Record `number`, under `id`: descriptor, tokens (in blob files for every second number), attributes "number".
Write NumberedWrite(const std::string& id, int64_t number);

class Truth {
 public:
  explicit Truth(unsigned seed) : random_(seed) {}

  // One random write (a new record, a replacement, a change of attributes or a deletion); whether it was acknowledged.
  bool Write(Collection& collection);

  // Writes until a write is acknowledged; false after 30 seconds.
  bool WriteOnceWell(Collection& collection);

  // Compares everything. `reopened`: writes that failed before may have been done all the same; what is found of them
  // counts from now on. False after a failure.
  bool Check(const Collection& collection, bool reopened);

  // The same, of what can be read: reading a record may fail with `code`, but must not give anything wrong. Returns how
  // many could not be read.
  int64_t CheckReadable(const Collection& collection, absl::StatusCode code) const;

  int64_t records() const;
  // Of the last write that was not acknowledged.
  const absl::Status& refusal() const { return refusal_; }

 private:
  struct State {
    int64_t number = 0;
    std::optional<int64_t> changed;  // the attribute "changed"
    bool operator==(const State&) const = default;
  };
  using Maybe = std::optional<State>;  // nullopt: there is no such record

  // What `collection` has under `id`; fails the test when it is like no record that was ever written.
  static absl::StatusOr<Maybe> Look(const Collection& collection, const std::string& id);
  static void CheckSearch(const Collection& collection, const std::string& id, const State& state);
  Maybe Acknowledged(const std::string& id) const;

  std::mt19937 random_;
  int64_t next_ = 0;
  absl::Status refusal_;
  std::map<std::string, Maybe> acknowledged_;           // nullopt once deleted
  std::map<std::string, std::vector<Maybe>> possible_;  // what failed writes would have made of it
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_DURABILITY_TRUTH_H_
