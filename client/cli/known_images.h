// KnownImages: which of the files to index the server has already, with the same bytes and attributes, so that a second
// run sends only what is new or changed.
//
// It lists the collection once, or asks for one file after another where the collection is much larger than what is to
// be indexed. Of an image it keeps the hash of its id, half of its SHA-256 and, where attributes matter, eight bytes of
// each.
//
// Threading: one thread at a time. Ownership: borrows the client. Failure: Load returns the server's error; an image
// that cannot be asked for counts as unknown, as writing it again does no harm.
#ifndef SIGHTLINE_CLIENT_CLI_KNOWN_IMAGES_H_
#define SIGHTLINE_CLIENT_CLI_KNOWN_IMAGES_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/values.h"
#include "client/cpp/client.h"

namespace sightline::cli {

// The first half of a SHA-256: enough to tell files apart, and half the memory.
using ShortDigest = std::array<uint64_t, 2>;
// Of 64 hex digits; zeros for another text.
ShortDigest ToShortDigest(absl::string_view sha256);

class KnownImages {
 public:
  struct Options {
    std::string collection = {};
    int64_t images = 0;       // in the collection
    bool attributes = false;  // whether they matter
  };

  // Knows nothing.
  KnownImages() = default;

  // `ids`: IdHash of what is to be indexed.
  static absl::StatusOr<KnownImages> Load(client::Client& client, const absl::flat_hash_set<uint64_t>& ids,
                                          const Options& options);

  // Whether the collection has this image with these bytes and, among others, all of these attributes.
  bool Has(const std::string& id, const std::string& sha256, const AttributeMap& attributes) const;

 private:
  struct Image {
    ShortDigest sha256 = {};
    std::vector<uint64_t> attributes = {};  // hashes, sorted
  };

  static std::vector<uint64_t> Hashes(const AttributeMap& attributes);

  client::Client* client_ = nullptr;  // null where the collection was listed
  std::string collection_;
  absl::flat_hash_map<uint64_t, Image> images_;  // by IdHash
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_KNOWN_IMAGES_H_
