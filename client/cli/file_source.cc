#include "client/cli/file_source.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"

namespace sightline::cli {
namespace {

constexpr size_t kMaxSourceUriBytes = 2048;

}  // namespace

FileSource::FileSource(Context& context, IndexReport& report, NextFile next_file, const KnownImages& known,
                       ItemAttributes& attributes, Options options)
    : context_(context),
      report_(report),
      next_file_(std::move(next_file)),
      known_(known),
      attributes_(attributes),
      options_(std::move(options)) {
  // A request_id must mean one write: with the run in it, a file that was indexed, deleted and is indexed again is
  // written again, while the repeats of this run stay repeats.
  std::random_device device;
  run_ = absl::StrFormat("%08x%08x", device(), device());
}

std::optional<std::string> FileSource::MetBefore(const std::string& sha256, const std::string& id) {
  if (options_.keep_duplicates) return std::nullopt;
  const auto [met, is_new] = met_.try_emplace(ToShortDigest(sha256), met_ids_.size());
  if (!is_new) return std::string(met_ids_.data() + met->second);
  absl::StrAppend(&met_ids_, id, absl::string_view("\0", 1));
  return std::nullopt;
}

std::optional<v1::IndexRequest> FileSource::Next() {
  while (!(context_.interrupted && context_.interrupted())) {
    const std::optional<ImageFile> file = next_file_();
    if (!file) break;
    auto bytes = base::ReadFile(file->path, options_.max_image_bytes);
    if (!bytes.ok()) {
      report_.Failed(file->path, file->id, bytes.status());
      continue;
    }
    const std::string sha256 = base::Sha256Hex(*bytes);
    // First the attributes: a file that fails by them must not stand for another of the same bytes.
    auto attributes = attributes_.Of(*file);
    if (!attributes.ok()) {
      report_.Failed(file->path, file->id, attributes.status());
      continue;
    }
    if (const auto first = MetBefore(sha256, file->id)) {
      report_.Duplicate(file->path, file->id, *first);
      continue;
    }
    if (known_.Has(file->id, sha256, *attributes)) {
      report_.Skipped(file->path, file->id);
      continue;
    }
    path_by_id_[file->id] = file->path;
    v1::IndexRequest request;
    request.set_collection(options_.collection);
    request.set_request_id(
        base::Sha256Hex(absl::StrJoin({run_, options_.collection, file->id, sha256}, "\n")).substr(0, 32));
    auto& item = *request.mutable_item();
    item.set_id(file->id);
    item.set_image(*std::move(bytes));
    request.set_model(options_.reembed_model);
    *item.mutable_attributes() = *std::move(attributes);
    if (file->path.size() <= kMaxSourceUriBytes) item.set_source_uri(file->path);
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
