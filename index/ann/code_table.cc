#include "index/ann/code_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace sightline::index {

void CodeTable::Unmap::operator()(uint8_t* memory) const { ::munmap(memory, bytes); }

CodeTable::CodeTable(const kernels::CodeLayout& layout, uint32_t chunk_rows, uint32_t max_rows)
    : layout_(layout),
      max_rows_(max_rows),
      shift_(std::bit_width(chunk_rows) - 1),
      mask_(chunk_rows - 1),
      chunks_((max_rows + chunk_rows - 1) / chunk_rows) {}

uint8_t* CodeTable::MutableRow(uint32_t row) {
  auto& chunk = chunks_[row >> shift_];
  if (chunk == nullptr) {
    void* memory =
        ::mmap(nullptr, chunk_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    ::madvise(memory, chunk_bytes(), MADV_HUGEPAGE);
    chunk = {static_cast<uint8_t*>(memory), Unmap{chunk_bytes()}};
  }
  return chunk.get() + static_cast<size_t>(row & mask_) * layout_.stride;
}

bool CodeTable::MapChunk(uint32_t chunk, int file, int64_t offset) {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t bytes = chunk_bytes() / page * page;
  if (bytes == 0) return false;
  uint8_t* const memory = chunks_[chunk].get();
  if (::mmap(memory, bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, offset) == MAP_FAILED) return false;
  mapped_bytes_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  return true;
}

}  // namespace sightline::index
