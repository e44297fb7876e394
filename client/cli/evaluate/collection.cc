#include "client/cli/evaluate/collection.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status.h"
#include "client/cli/file_source.h"
#include "client/cli/index_report.h"
#include "client/cli/known_images.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr char kDeletedAdvice[] =
    "The collection made for this run is deleted; with --keep, another run goes on with it.";

// Ids and sizes; the bytes themselves are compared when they are indexed.
std::string NameOf(const BenchFiles& files, const std::string& model) {
  std::string content = absl::StrCat(model, "\n");
  for (const ImageFile& file : files.database) {
    std::error_code error;
    absl::StrAppend(&content, file.id, "\t", static_cast<int64_t>(std::filesystem::file_size(file.path, error)), "\n");
    if (content.size() > size_t{1} << 20) content = base::Sha256Hex(content);
  }
  return absl::StrCat("evaluate-", base::Sha256Hex(content).substr(0, 16));
}

}  // namespace

absl::StatusOr<std::unique_ptr<EvalCollection>> EvalCollection::Fill(Context& context, client::Client& client,
                                                                     const BenchFiles& files, const Options& options) {
  const std::string name = options.name.empty() ? NameOf(files, options.model) : options.name;
  auto found = client.GetCollection(name);
  // What an earlier run has kept is not this one's to delete.
  const bool temporary = !found.ok() && options.name.empty() && !options.keep;
  if (found.status().code() == absl::StatusCode::kNotFound) {
    v1::CreateCollectionRequest request;
    request.set_name(name);
    request.set_model(options.model);
    found = client.CreateCollection(request);
    if (found.ok()) {
      context.err.Write(absl::StrCat("created collection ", name, " with model ", Printable(found->model()), "\n"));
    }
  }
  if (!found.ok()) return found.status();
  std::unique_ptr<EvalCollection> filled(new EvalCollection(context, client, *std::move(found), temporary));
  SIGHTLINE_RETURN_IF_ERROR(filled->Index(files, options));
  SIGHTLINE_ASSIGN_OR_RETURN(filled->collection_, client.GetCollection(name));
  return filled;
}

EvalCollection::~EvalCollection() {
  if (!temporary_) return;
  const auto deleted = client_.DeleteCollection(collection_.name());
  if (!deleted.ok()) {
    context_.err.Write(absl::StrCat("sightline: the collection ", collection_.name(),
                                    " was not deleted: ", Printable(deleted.status().message()), "\n"));
  }
}

absl::Status EvalCollection::Index(const BenchFiles& files, const Options& options) {
  absl::flat_hash_set<uint64_t> ids;
  for (const ImageFile& file : files.database) ids.insert(IdHash(file.id));
  SIGHTLINE_ASSIGN_OR_RETURN(
      const KnownImages known,
      KnownImages::Load(client_, ids, {.collection = collection_.name(), .images = collection_.stats().images()}));
  // Standard output is for the results.
  Context aside{.out = context_.err,
                .err = context_.err,
                .clock = context_.clock,
                .err_is_terminal = context_.err_is_terminal,
                .columns = context_.columns,
                .interrupted = context_.interrupted};
  IndexReport report(aside, false, static_cast<int64_t>(files.database.size() + files.problems.size()),
                     temporary_ ? kDeletedAdvice : IndexReport::kRunAgain);
  for (const auto& [path, status] : files.problems) report.Failed(path, "", status);
  size_t next = 0;
  const auto next_file = [&] {
    return next < files.database.size() ? std::make_optional(files.database[next++]) : std::nullopt;
  };
  ItemAttributes no_attributes;
  FileSource source(aside, report, next_file, known, no_attributes,
                    {.collection = collection_.name(), .max_image_bytes = options.max_image_bytes});
  client::IndexManyOptions many;
  many.max_in_flight = options.in_flight;
  many.stop = [&] {
    report.Tick();
    return context_.interrupted && context_.interrupted();
  };
  const auto summary = client_.IndexMany([&] { return source.Next(); },
                                         [&](const client::ItemOutcome& outcome) { source.Tell(outcome); }, many);
  code_ = report.Finish(context_.interrupted && context_.interrupted());
  failed_ = report.failed();
  return summary.status();
}

}  // namespace sightline::cli
