#include "server/access_table.h"

#include <algorithm>
#include <array>

namespace sightline::server {
namespace {

// Reading shows what is stored; writing changes it and can be undone by writing again; what decides over whole
// collections, models and the work of others is for administrators.
constexpr std::array kTable = {
    AccessRow{"SearchService/Search", Access::kRead},
    AccessRow{"SearchService/SearchStream", Access::kRead},
    AccessRow{"SearchService/Embed", Access::kRead},
    AccessRow{"SearchService/Explain", Access::kRead},
    AccessRow{"IndexService/Index", Access::kWrite},
    AccessRow{"IndexService/IndexStream", Access::kWrite},
    AccessRow{"IndexService/GetImage", Access::kRead},
    AccessRow{"IndexService/ListImages", Access::kRead},
    AccessRow{"IndexService/DeleteImages", Access::kWrite},
    AccessRow{"IndexService/UpdateAttributes", Access::kWrite},
    AccessRow{"CollectionService/CreateCollection", Access::kAdmin},
    AccessRow{"CollectionService/GetCollection", Access::kRead},
    AccessRow{"CollectionService/ListCollections", Access::kRead},
    AccessRow{"CollectionService/UpdateCollection", Access::kAdmin},
    AccessRow{"CollectionService/DeleteCollection", Access::kAdmin},
    AccessRow{"CollectionService/OptimizeCollection", Access::kWrite},
    AccessRow{"CollectionService/CreateSnapshot", Access::kAdmin},
    AccessRow{"CollectionService/ListSnapshots", Access::kAdmin},
    AccessRow{"CollectionService/RestoreSnapshot", Access::kAdmin},
    AccessRow{"CollectionService/DeleteSnapshot", Access::kAdmin},
    AccessRow{"CollectionService/DownloadSnapshot", Access::kAdmin},
    AccessRow{"CollectionService/UploadSnapshot", Access::kAdmin},
    AccessRow{"CollectionService/ReembedCollection", Access::kAdmin},
    AccessRow{"CollectionService/DropOtherSpace", Access::kAdmin},
    AccessRow{"CollectionService/FindDuplicates", Access::kRead},
    AccessRow{"CollectionService/FitConfidence", Access::kWrite},
    AccessRow{"CollectionService/ListAttributeValues", Access::kRead},
    AccessRow{"CollectionService/SetAlias", Access::kAdmin},
    AccessRow{"CollectionService/DeleteAlias", Access::kAdmin},
    AccessRow{"ModelService/ListModels", Access::kRead},
    AccessRow{"ModelService/GetModel", Access::kRead},
    AccessRow{"ModelService/LoadModel", Access::kAdmin},
    AccessRow{"ModelService/UnloadModel", Access::kAdmin},
    AccessRow{"OperationService/GetOperation", Access::kRead},
    AccessRow{"OperationService/ListOperations", Access::kRead},
    AccessRow{"OperationService/CancelOperation", Access::kAdmin},
    AccessRow{"ServerService/GetServerInfo", Access::kRead},
};

}  // namespace

absl::Span<const AccessRow> AccessTable() { return kTable; }

std::optional<Access> AccessOf(absl::string_view method) {
  const auto* const row = std::find_if(kTable.begin(), kTable.end(), [&](const auto& r) { return r.method == method; });
  if (row == kTable.end()) return std::nullopt;
  return row->access;
}

}  // namespace sightline::server
