#include "client/cli/known_images.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/strings/numbers.h"
#include "base/status.h"
#include "client/cli/image_files.h"

namespace sightline::cli {
namespace {

constexpr int32_t kPageSize = 1000;
// One GetImage costs about as much as this many rows of a listing.
constexpr int64_t kRowsPerCall = 50;

}  // namespace

ShortDigest ToShortDigest(absl::string_view sha256) {
  ShortDigest digest = {};
  if (sha256.size() != 64) return digest;
  for (size_t i = 0; i < digest.size(); ++i) {
    if (!absl::SimpleHexAtoi(sha256.substr(16 * i, 16), &digest[i])) return {};
  }
  return digest;
}

std::vector<uint64_t> KnownImages::Hashes(const AttributeMap& attributes) {
  std::vector<uint64_t> hashes;
  for (const auto& [key, value] : attributes) hashes.push_back(absl::HashOf(key, value.SerializeAsString()));
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

absl::StatusOr<KnownImages> KnownImages::Load(client::Client& client, const absl::flat_hash_set<uint64_t>& ids,
                                              const Options& options) {
  KnownImages known;
  known.collection_ = options.collection;
  if (options.images == 0) return known;
  if (options.images / kRowsPerCall > static_cast<int64_t>(ids.size())) {
    known.client_ = &client;
    return known;
  }
  v1::ListImagesRequest request;
  request.set_collection(options.collection);
  request.set_page_size(kPageSize);
  do {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto page, client.ListImages(request));
    for (const auto& image : page.images()) {
      const uint64_t id = IdHash(image.id());
      if (image.sha256().empty() || !ids.contains(id)) continue;
      known.images_[id] = {.sha256 = ToShortDigest(image.sha256()),
                           .attributes = options.attributes ? Hashes(image.attributes()) : std::vector<uint64_t>()};
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return known;
}

bool KnownImages::Has(const std::string& id, const std::string& sha256, const AttributeMap& attributes) const {
  Image asked;
  const Image* image = nullptr;
  if (client_ != nullptr) {
    v1::GetImageRequest request;
    request.set_collection(collection_);
    request.set_id(id);
    const auto found = client_->GetImage(request);
    if (!found.ok() || found->sha256().empty()) return false;
    asked = {.sha256 = ToShortDigest(found->sha256()), .attributes = Hashes(found->attributes())};
    image = &asked;
  } else if (const auto found = images_.find(IdHash(id)); found != images_.end()) {
    image = &found->second;
  }
  if (image == nullptr || image->sha256 != ToShortDigest(sha256)) return false;
  const std::vector<uint64_t> wanted = Hashes(attributes);
  return std::includes(image->attributes.begin(), image->attributes.end(), wanted.begin(), wanted.end());
}

}  // namespace sightline::cli
