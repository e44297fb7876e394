// Reembedding: one run of the work behind ReembedCollection.
//
// It goes through the collection once and makes the other space agree with it: an image is embedded when the other
// space does not have it yet, or has an older one; or, when the model is that of the collection with a whitening behind
// it, its descriptor is transformed. Then it carries over what was written meanwhile, until little is
// left, and does the last of it while writes are held. Searches never wait.
//
// Threading: one thread. Ownership: borrows all it is given. Failure: Status; CANCELLED soon after `progress` has
// answered false. What was filled stays.
#ifndef SIGHTLINE_SERVER_SERVICES_REEMBEDDING_H_
#define SIGHTLINE_SERVER_SERVICES_REEMBEDDING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/database.h"
#include "server/embedder.h"
#include "server/model_hub.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {

class Reembedding {
 public:
  // `request` is one that ResolveReembed has made.
  Reembedding(index::Database& database, ModelHub& models, Embedder& embedder,
              const v1::ReembedCollectionRequest& request, const index::Progress& progress)
      : database_(database), models_(models), embedder_(embedder), request_(request), progress_(progress) {}

  absl::StatusOr<v1::ReembedCollectionResult> Run();

 private:
  absl::Status Open(const index::CollectionConfig& config);
  // Every image of the collection, and what the other space has beyond them.
  absl::Status CarryAll();
  // Until at most `most` ids are left, or writes come faster than they can be carried over.
  absl::Status CarryChanges(size_t most);
  absl::Status CarryIds(const std::vector<std::string>& ids);
  // Makes the other space agree with these, which were read without image and vectors.
  absl::Status CarryRecords(std::vector<index::Record> records);
  // Whether the other space has the image already, perhaps after its attributes were brought up to date.
  absl::StatusOr<bool> IsThere(const index::Record& record);
  absl::Status EmbedAndWrite(std::vector<index::Record> records);
  // The model may have been loaded again, elsewhere, since the devices it was on are lost.
  void TakeStandIn();
  // For a model that is the collection's own with a whitening behind it: no image is needed.
  absl::Status WhitenAndWrite(std::vector<index::Record> records);
  bool Whitens() const;
  absl::Status Write(std::vector<index::Record> records);
  absl::Status CheckComplete() const;
  absl::Status Report();
  v1::ReembedCollectionResult Result(const index::Collection& collection) const;

  index::Database& database_;
  ModelHub& models_;
  Embedder& embedder_;
  const v1::ReembedCollectionRequest& request_;
  const index::Progress& progress_;
  ModelPtr model_;  // null when going back to the space of a model that is not loaded
  std::unique_ptr<index::SpaceTransfer> transfer_;
  std::map<std::string, std::string> left_out_;  // why, by id
  int64_t embedded_ = 0;
  int64_t done_ = 0;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_REEMBEDDING_H_
