// CollectionSeries: what /metrics says of each collection about its requests: how many by code, and how long they and
// their stages took.
//
// Bounded: at most `most` collections have series of their own, in the order they come; all others share those of
// collection="_other", which is no collection's name. Series of deleted collections go away and make room. The buckets
// are fewer than those of all requests together, and a stage has none before it first runs: 100 collections would make
// a page of megabytes otherwise.
//
// Threading: all methods may be called from any thread. Ownership: by value. Failure: none.
#ifndef SIGHTLINE_SERVER_COLLECTION_SERIES_H_
#define SIGHTLINE_SERVER_COLLECTION_SERIES_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "server/code_names.h"
#include "server/request.h"

namespace prometheus {
struct MetricFamily;
}  // namespace prometheus

namespace sightline::server {

inline constexpr char kOtherCollections[] = "_other";

class CollectionSeries {
 public:
  explicit CollectionSeries(int most) : most_(most) {}

  // A request about a collection that exists has ended.
  void Observe(absl::string_view collection, absl::StatusCode code, const std::vector<Stage>& stages,
               double milliseconds);

  // The collections there are: new ones get series at zero, those of all others go away.
  void Keep(const std::vector<std::string>& collections);

  // `collection` where it has series of its own, "_other" otherwise.
  std::string LabelOf(absl::string_view collection) const;

  std::vector<prometheus::MetricFamily> Collect() const;

 private:
  static constexpr std::array<double, 5> kBounds = {0.005, 0.025, 0.1, 0.5, 2.5};  // seconds

  struct Durations {
    void Add(double seconds);
    std::array<uint64_t, kBounds.size() + 1> buckets{};
    double sum = 0;
  };
  struct Series {
    std::array<uint64_t, kCodeCount> requests{};
    std::map<std::string, Durations, std::less<>> stages = {{"total", {}}};
  };

  // The series of a collection: made if there is room, those of "_other" if not.
  Series& Find(absl::string_view collection) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int most_;
  mutable base::Mutex mutex_;
  std::map<std::string, Series, std::less<>> series_ ABSL_GUARDED_BY(mutex_);
  Series other_ ABSL_GUARDED_BY(mutex_);
  bool has_other_ ABSL_GUARDED_BY(mutex_) = false;  // somebody has to share
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_COLLECTION_SERIES_H_
