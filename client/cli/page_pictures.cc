#include "client/cli/page_pictures.h"

#include "absl/strings/str_cat.h"
#include "client/cli/html.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr int64_t kMostPictureBytes = int64_t{16} << 20;
constexpr int64_t kMostPageBytes = int64_t{64} << 20;

}  // namespace

void PagePictures::Put(std::string bytes, PagePicture* picture) {
  const auto size = static_cast<int64_t>(bytes.size());
  if (size > kMostPictureBytes) {
    picture->missing = absl::StrCat("it has ", FormatBytes(size), "; a page takes ", FormatBytes(kMostPictureBytes),
                                    ". Make a smaller copy.");
  } else if (total_bytes_ + size > kMostPageBytes) {
    picture->missing = absl::StrCat("those before it fill the page: it takes ", FormatBytes(kMostPageBytes),
                                    " in all. Ask for fewer results.");
  } else if (ImageMimeType(bytes).empty()) {
    picture->missing = "it is no JPEG, PNG or WebP file, and browsers may not show it.";
  } else {
    total_bytes_ += size;
    picture->bytes = std::move(bytes);
  }
}

PagePicture PagePictures::OfFile(const std::string& name, const std::string& bytes) {
  PagePicture picture{.name = name};
  Put(bytes, &picture);
  return picture;
}

PagePicture PagePictures::OfId(const std::string& id, const std::vector<v1::ImageView>& views) {
  PagePicture picture{.name = id};
  for (const v1::ImageView view : views) {
    v1::GetImageRequest request;
    request.set_collection(collection_);
    request.set_id(id);
    request.set_view(view);
    auto image = client_->GetImage(request);
    if (!image.ok()) {
      picture.missing = std::string(image.status().message());
      continue;
    }
    picture.width = image->width();
    picture.height = image->height();
    if (image->has_crop()) picture.crops = {image->crop()};
    if (image->image().empty()) {
      picture.missing = "the collection keeps no picture of it.";
      continue;
    }
    picture.missing.clear();
    Put(std::move(*image->mutable_image()), &picture);
    if (!picture.bytes.empty()) return picture;
  }
  return picture;
}

}  // namespace sightline::cli
