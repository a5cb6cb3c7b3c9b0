
# What SQS does and ministack's standard queues do not. Put between the watch and the start of the emulator.
import time  # noqa: E402

from ministack.services import sqs  # noqa: E402

# Amazon SQS Developer Guide, "How Amazon SQS fair queues work": a message group with this many messages in flight and more
# than this share of all of them is noisy, and the messages of the others go first. The other measure that the guide names, the
# share of processing time, is left out.
NOISY_FROM = 30
NOISY_SHARE = 0.1

collect_in_order = sqs._collect_msgs


def collect_fairly(queue, count, visibility_timeout):
    if queue["is_fifo"]:
        return collect_in_order(queue, count, visibility_timeout)
    now = time.time()
    in_flight = {}
    for message in queue["messages"]:
        sqs._ensure_msg_fields(message)
        if message["visible_at"] > now and message["receive_count"] > 0:
            # A message without a group is a group of its own.
            group = message["group_id"] or message["id"]
            in_flight[group] = in_flight.get(group, 0) + 1
    share = NOISY_SHARE * sum(in_flight.values())
    noisy = {group for group, number in in_flight.items() if number >= NOISY_FROM and number > share}
    if not noisy:
        return collect_in_order(queue, count, visibility_timeout)
    first, last = [], []
    for message in queue["messages"]:
        (last if (message["group_id"] or message["id"]) in noisy else first).append(message)
    return collect_in_order({**queue, "messages": first + last}, count, visibility_timeout)


# A function that reads a queue gets batches of up to 10,000 messages (Lambda Developer Guide, "Using Lambda with Amazon SQS"),
# gathered from several receives.
receive_ten = sqs._receive_messages_for_esm


def receive_for_function(queue_url, count):
    batch = []
    while len(batch) < int(count or 1):
        received = receive_ten(queue_url, int(count or 1) - len(batch))
        if not received:
            break
        batch.extend(received)
    return batch


# Messages are taken out one by one: a list that is replaced as a whole loses what is sent at that moment.
def delete_for_function(queue_url, receipt_handles):
    with sqs._queues_lock:
        queue = sqs._get_q(queue_url)
        for message in list(queue["messages"]):
            if message.get("receipt_handle") in receipt_handles:
                queue["messages"].remove(message)


sqs._collect_msgs = collect_fairly
sqs._receive_messages_for_esm = receive_for_function
sqs._delete_messages_for_esm = delete_for_function
