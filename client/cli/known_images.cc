#include "client/cli/known_images.h"

#include <set>

#include "base/status.h"

namespace sightline::cli {
namespace {

constexpr int32_t kPageSize = 1000;
// One GetImage costs about as much as this many rows of a listing.
constexpr int64_t kRowsPerCall = 50;

bool HasAll(const AttributeMap& have, const AttributeMap& want) {
  for (const auto& [key, value] : want) {
    const auto found = have.find(key);
    if (found == have.end() || found->second.SerializeAsString() != value.SerializeAsString()) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<KnownImages> LoadKnownImages(client::Client& client, const std::string& collection, int64_t images,
                                            const std::vector<ImageFile>& files, const AttributeMap& attributes) {
  std::map<std::string, std::string> known;
  if (images == 0) return KnownImages();
  const auto add = [&](const v1::ImageRecord& image) {
    if (!image.sha256().empty() && HasAll(image.attributes(), attributes)) known[image.id()] = image.sha256();
  };
  if (images / kRowsPerCall > static_cast<int64_t>(files.size())) {
    for (const ImageFile& file : files) {
      v1::GetImageRequest request;
      request.set_collection(collection);
      request.set_id(file.id);
      const auto image = client.GetImage(request);
      if (image.ok()) {
        add(*image);
      } else if (image.status().code() != absl::StatusCode::kNotFound) {
        return image.status();
      }
    }
    return KnownImages(std::move(known));
  }
  std::set<std::string> wanted;
  for (const ImageFile& file : files) wanted.insert(file.id);
  v1::ListImagesRequest request;
  request.set_collection(collection);
  request.set_page_size(kPageSize);
  do {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto page, client.ListImages(request));
    for (const auto& image : page.images()) {
      if (wanted.contains(image.id())) add(image);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return KnownImages(std::move(known));
}

}  // namespace sightline::cli
