// KnownImages: which of the files to index the server has already, with the same bytes and attributes, so that a second
// run sends only what is new or changed.
//
// Threading: a value. Failure: LoadKnownImages returns the server's error.
#ifndef SIGHTLINE_CLIENT_CLI_KNOWN_IMAGES_H_
#define SIGHTLINE_CLIENT_CLI_KNOWN_IMAGES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/image_files.h"
#include "client/cli/values.h"
#include "client/cpp/client.h"

namespace sightline::cli {

class KnownImages {
 public:
  KnownImages() = default;
  explicit KnownImages(std::map<std::string, std::string> sha256_by_id) : sha256_by_id_(std::move(sha256_by_id)) {}

  bool Has(const std::string& id, const std::string& sha256) const {
    const auto found = sha256_by_id_.find(id);
    return found != sha256_by_id_.end() && found->second == sha256;
  }

 private:
  std::map<std::string, std::string> sha256_by_id_;
};

// Asks for the `files` of a collection of `images` images: by listing the collection, or file by file where the
// collection is much larger than the list. A record counts as known only if it has all of `attributes`.
absl::StatusOr<KnownImages> LoadKnownImages(client::Client& client, const std::string& collection, int64_t images,
                                            const std::vector<ImageFile>& files, const AttributeMap& attributes);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_KNOWN_IMAGES_H_
