import { expect, test } from 'vitest'
import { importContent, jsonLines } from './memory-sink.js'

test('map names columns that textrec does not know; a mapped field is read from nowhere else', async () => {
  const { sink } = await importContent('reviews', 'who,what,rating,note\nu,i,5,fine\n', {
    map: { user: 'who', item_id: 'what', text: 'note' },
  })
  expect(sink.reviews).toEqual([{ userId: 'u', itemId: 'i', rating: 5, text: 'fine' }])
  const other = await importContent('items', 'id,title,label\n1,old,\n2,old,new\n', {
    map: { title: 'label' },
  })
  expect(other.sink.items).toEqual([
    { id: '1', attributes: { title: 'old' } },
    { id: '2', title: 'new', attributes: { title: 'old' } },
  ])
  const json = await importContent(
    'interactions',
    jsonLines({ buyer: 'u', item: 'i' }, { user: 'u', item: 'i' }),
    { map: { user: 'buyer' } },
  )
  expect(json.sink.interactions).toEqual([{ userId: 'u', itemId: 'i' }])
  expect(json.rejects).toMatchObject([{ line: 2, field: 'userId' }])
})

test('map: unknown fields and columns are refused by name', async () => {
  await expect(importContent('items', 'id\n1\n', { map: { colour: 'id' } })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringMatching(/no field 'colour'.*description: description, overview/),
  })
  await expect(importContent('items', 'id,a\n1,2\n', { map: { title: 'naem' } })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringMatching(/no column 'naem'.*id, a/),
  })
  for (const content of [
    'who,what\nu,i\n',
    jsonLines({ who: 'u', what: 'i' }, { who: 'v', what: 'i', note: 'x' }),
  ]) {
    const map = { user: 'whoo', item: 'whta' }
    await expect(importContent('interactions', content, { map })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/no column 'whoo' for the field 'userId'.*who, what/),
    })
  }
})

test('a mapped key that JSON lines have later is found, and the records before it only lack the field', async () => {
  const filler = Array.from({ length: 3000 }, (_, i) => ({
    id: `i${i}`,
    description: 'long enough to fill a head',
  }))
  const { sink, rejected } = await importContent(
    'items',
    jsonLines(...filler, { id: 'last', label: 'new' }),
    {
      map: { title: 'label' },
    },
  )
  expect(rejected).toBe(0)
  expect(sink.items[3000]).toEqual({ id: 'last', title: 'new' })
})

test('map by number is for files without a header; the other columns keep their place as a name', async () => {
  const { sink, format } = await importContent(
    'interactions',
    'A1,B1,5.0,1352419200\nA2,B1,3.0,1352419300\n',
    { map: { item: '2', user: '1', time: '4' } },
  )
  expect(format).toBe('csv')
  expect(sink.interactions[0]).toEqual({
    userId: 'A1',
    itemId: 'B1',
    time: 1352419200000,
    attributes: { 'column 3': 5 },
  })
  expect(sink.interactions).toHaveLength(2)
  await expect(
    importContent('interactions', 'A1,B1\n', { map: { user: '1', item: '3' } }),
  ).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' })
})

test('missing columns are named, with what they could be called', async () => {
  await expect(importContent('interactions', 'userId,rating\nu,5\n')).rejects.toMatchObject({
    code: 'FORMAT_UNKNOWN',
    message: expect.stringMatching(
      /no column for itemId \(columns: userId, rating\).*itemId: item_id, .*asin.*--map/s,
    ),
  })
  await expect(importContent('items', 'A2M1,0005089549,5.0\nA2M2,0005089549,4.0\n')).rejects.toMatchObject({
    code: 'FORMAT_UNKNOWN',
    message: expect.stringMatching(/--map id=1/),
  })
})

test('a format that is named must be what the file holds', async () => {
  const csv = 'user,item\nu,i\n'
  const json = jsonLines({ user: 'u', item: 'i' })
  for (const [format, content] of [
    ['csv', json],
    ['movielens', json],
    ['recbole', csv],
  ] as const) {
    await expect(importContent('interactions', content, { format })).rejects.toMatchObject({
      code: 'FORMAT_UNKNOWN',
    })
  }
  expect((await importContent('interactions', csv, { format: 'csv' })).accepted).toBe(1)
  expect((await importContent('interactions', json, { format: 'jsonl' })).accepted).toBe(1)
  expect((await importContent('interactions', csv, { format: 'jsonl' })).rejected).toBe(2)
})

test('two columns of one name are refused, unnamed ones are numbered', async () => {
  await expect(importContent('items', 'id,a,a\n1,2,3\n')).rejects.toMatchObject({
    code: 'FORMAT_UNKNOWN',
    message: expect.stringMatching(/two columns named 'a'/),
  })
  const { sink } = await importContent('items', ',id\n0,p\n')
  expect(sink.items).toEqual([{ id: 'p', attributes: { 'column 1': 0 } }])
})

test('a header of very many columns is read in bounded time', async () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `c${i}`)
  const { rejects } = await importContent('items', `id,${names.join(',')}\n1${',2'.repeat(100_000)}\n`)
  expect(rejects).toMatchObject([{ line: 2, expected: 'at most 1000 attributes' }])
})

test('of several synonyms the first of the table that holds a value is taken, the others stay', async () => {
  const { sink } = await importContent(
    'items',
    'asin,id,overview,description\nA,1,plot,\nB,2,plot,text\nC,,,\n',
  )
  expect(sink.items).toEqual([
    { id: '1', description: 'plot', attributes: { asin: 'A' } },
    { id: '2', description: 'text', attributes: { asin: 'B', overview: 'plot' } },
    { id: 'C' },
  ])
})

test('one broken line at the top of JSON lines is refused and does not hide the format', async () => {
  const found = await importContent(
    'reviews',
    `{"broken\n${jsonLines({ reviewerID: 'u', asin: 'i', overall: 5 }, { reviewerID: 'v', asin: 'i' })}`,
  )
  expect(found).toMatchObject({ format: 'amazon', read: 3, accepted: 2, rejected: 1 })
  expect(await importContent('items', `x\n${jsonLines({ id: 1 }, { id: 2 })}`)).toMatchObject({
    format: 'jsonl',
    accepted: 2,
  })
})

test('a first line longer than the head is still understood', async () => {
  const found = await importContent(
    'items',
    jsonLines({ description: ['x'.repeat(300_000)], feature: ['y'], asin: '1', title: 't' }),
  )
  expect(found.format).toBe('amazon')
  expect(found.sink.items[0].description).toMatch(/x\ny$/)
})

test('RecBole users have no item: the error says what is missing', async () => {
  await expect(importContent('interactions', 'user_id:token\tage:token\n1\t24\n')).rejects.toMatchObject({
    message: expect.stringMatching(/no column for itemId/),
  })
})
