// CollectionObserver: counts every call for the collection it is about, also where the call names an alias of it: names
// that callers make up get no series.
//
// Threading: all methods may be called from any thread, SetDatabase before the first call. Ownership: the database
// outlives the calls. Failure: none, no call is refused.
#ifndef SIGHTLINE_SERVER_OBSERVE_COLLECTION_OBSERVER_H_
#define SIGHTLINE_SERVER_OBSERVE_COLLECTION_OBSERVER_H_

#include "absl/status/status.h"
#include "index/database.h"
#include "server/call_observer.h"
#include "server/collection_series.h"

namespace sightline::server {

class CollectionObserver final : public CallObserver {
 public:
  explicit CollectionObserver(CollectionSeries& series) : series_(series) {}

  void SetDatabase(const index::Database* database) { database_ = database; }

  absl::Status Arrived(const CallMetadata&, CallInfo*) override { return absl::OkStatus(); }

  void Ended(const Request& request, const absl::Status& status) override {
    const std::string& collection = request.call().collection;
    if (collection.empty() || database_ == nullptr) return;
    const auto found = database_->Find(collection);
    if (found.ok())
      series_.Observe((*found)->config().name, status.code(), request.stages(), request.ElapsedMilliseconds());
  }

 private:
  CollectionSeries& series_;
  const index::Database* database_ = nullptr;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OBSERVE_COLLECTION_OBSERVER_H_
