#include "client/cli/file_source.h"

#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"

namespace sightline::cli {
namespace {

constexpr size_t kMaxSourceUriBytes = 2048;

}  // namespace

FileSource::FileSource(Context& context, IndexReport& report, const std::vector<ImageFile>& files,
                       const KnownImages& known, Options options)
    : context_(context), report_(report), files_(files), known_(known), options_(std::move(options)) {
  // A request_id must mean one write: with the run in it, a file that was indexed, deleted and is indexed again is
  // written again, while the repeats of this run stay repeats.
  std::random_device device;
  run_ = absl::StrFormat("%08x%08x", device(), device());
}

std::optional<v1::IndexRequest> FileSource::Next() {
  while (next_ < files_.size() && !(context_.interrupted && context_.interrupted())) {
    const ImageFile& file = files_[next_++];
    auto bytes = base::ReadFile(file.path, options_.max_image_bytes);
    if (!bytes.ok()) {
      report_.Failed(file.path, file.id, bytes.status());
      continue;
    }
    const std::string sha256 = base::Sha256Hex(*bytes);
    if (known_.Has(file.id, sha256)) {
      report_.Skipped(file.path, file.id);
      continue;
    }
    path_by_id_[file.id] = file.path;
    v1::IndexRequest request;
    request.set_collection(options_.collection);
    request.set_request_id(
        base::Sha256Hex(absl::StrJoin({run_, options_.collection, file.id, sha256}, "\n")).substr(0, 32));
    auto& item = *request.mutable_item();
    item.set_id(file.id);
    item.set_image(*std::move(bytes));
    request.set_model(options_.reembed_model);
    *item.mutable_attributes() = options_.attributes;
    if (file.path.size() <= kMaxSourceUriBytes) item.set_source_uri(file.path);
    return request;
  }
  return std::nullopt;
}

void FileSource::Tell(const client::ItemOutcome& outcome) {
  const auto path = path_by_id_.extract(outcome.id);
  const std::string& name = path.empty() ? outcome.id : path.mapped();
  if (outcome.status.ok()) {
    report_.Indexed(name, outcome);
  } else {
    report_.Failed(name, outcome.id, outcome.status);
  }
}

}  // namespace sightline::cli
